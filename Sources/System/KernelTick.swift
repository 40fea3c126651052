import Glibc

/// How long one jiffy of the running kernel is, in nanoseconds: 4,000,000 where CONFIG_HZ is 250.
///
/// `sysconf(_SC_CLK_TCK)` cannot say: it is USER_HZ, 100 on every kernel. The resolution of the coarse clocks can: it is one
/// tick by definition (kernel time/posix-timers.c, `posix_get_coarse_res`; clock_getres(2)). Audit's backlog_wait_time is in
/// jiffies.
package func kernelTickNanoseconds() throws(SystemError) -> Int64 {
  var resolution = timespec()
  try call("clock_getres", "CLOCK_MONOTONIC_COARSE") { clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) }
  return Int64(resolution.tv_sec) * 1_000_000_000 + Int64(resolution.tv_nsec)
}
