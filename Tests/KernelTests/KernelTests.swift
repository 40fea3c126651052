import TestSupport
import Testing

/// What only the live kernel can show: the built `fsaudit` watches a tree in which real programs work, and what it wrote is compared with what they did.
///
/// One after the other, for there is one kernel (``KernelLab``).
@Suite(.serialized, .enabled(if: KernelLab.isOpen, "\(KernelLab.reason)")) enum KernelTests {}
