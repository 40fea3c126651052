// statx(2): glibc declares it for _GNU_SOURCE only, which Swift's Glibc module does not set.
#pragma once
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Device, inode and birth time in nanoseconds (0 where the file system keeps none) of what a path leads to; -1 and errno on failure.
static inline int linux_identity(const char *path, unsigned long long *device, unsigned long long *inode, long long *birth) {
  struct statx result;
  if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &result) != 0) return -1;
  *device = (unsigned long long)result.stx_dev_major << 32 | result.stx_dev_minor;
  *inode = result.stx_ino;
  *birth = result.stx_mask & STATX_BTIME ? result.stx_btime.tv_sec * 1000000000LL + result.stx_btime.tv_nsec : 0;
  return 0;
}
