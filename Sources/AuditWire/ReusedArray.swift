/// A list that is filled, read and emptied again and again: an array that stays at its largest size, and how much of it counts.
/// Emptying costs nothing, and nothing is allocated once the list has been as long as it gets. (``ByteScratch`` is the same for bytes.)
@usableFromInline package struct ReusedArray<Element: BitwiseCopyable & Sendable>: RandomAccessCollection, Sendable {
  @usableFromInline var storage: [Element] = []
  @usableFromInline package internal(set) var count = 0

  /// - Parameter capacity: how many elements there is memory for at once.
  @inlinable package init(capacity: Int = 0) { storage.reserveCapacity(capacity) }

  @inlinable package var startIndex: Int { 0 }
  @inlinable package var endIndex: Int { count }
  @inlinable package var isEmpty: Bool { count == 0 }

  /// Traps outside the list.
  @inlinable package subscript(index: Int) -> Element {
    get {
      precondition(index < count)
      return storage[index]
    }
    set {
      precondition(index < count)
      storage[index] = newValue
    }
  }

  @inlinable @inline(__always)
  package mutating func append(_ element: Element) {
    if count < storage.count { storage[count] = element } else { storage.append(element) }
    count &+= 1
  }

  /// Takes out what fulfils the condition.
  @inlinable package mutating func removeAll(where isUnwanted: (Element) -> Bool) {
    var kept = 0
    for index in 0..<count where !isUnwanted(storage[index]) {
      storage[kept] = storage[index]
      kept &+= 1
    }
    count = kept
  }

  /// Empties the list; its memory stays, unless it is larger than `limit` elements.
  @inlinable @inline(__always)
  package mutating func removeAll(keepingUpTo limit: Int = .max) {
    count = 0
    if storage.count > limit { storage = [] }
  }
}
