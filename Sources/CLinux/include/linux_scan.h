// What a baseline needs of a file: all of statx(2), whole blocks of getdents64(2), inode flags. By their numbers, as in linux_walk.h.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <sys/syscall.h>
#include <unistd.h>

// Times are nanoseconds since 1970, and wrap around after the year 2262.
struct linux_status {
  uint64_t inode, size, blocks; // blocks of 512 bytes
  uint64_t mount;               // 0 where the kernel does not tell (before 5.8)
  uint64_t device;              // as st_dev has it, makedev(3)
  int64_t mtime, ctime, atime;
  int64_t btime; // 0 where the file system keeps none
  uint32_t mode, uid, gid, links;
};

// Of a name relative to a directory, or with name "" of the descriptor itself; follows no symbolic link, triggers no automount.
static inline int linux_status_of(int directory, const char *name, struct linux_status *out) {
  struct statx s;
  const int flags = 0x100 | 0x800 | (name[0] ? 0 : 0x1000); // AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH
  if (syscall(SYS_statx, directory, name, flags, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &s) != 0) return -1;
  out->inode = s.stx_ino;
  out->size = s.stx_size;
  out->blocks = s.stx_blocks;
  out->mount = s.stx_mask & STATX_MNT_ID ? s.stx_mnt_id : 0;
  const uint64_t high = s.stx_dev_major, low = s.stx_dev_minor;
  out->device = (high & 0xfff) << 8 | (high & ~0xfffull) << 32 | (low & 0xff) | (low & ~0xffull) << 12;
  out->mtime = (int64_t)((uint64_t)s.stx_mtime.tv_sec * 1000000000u + s.stx_mtime.tv_nsec);
  out->ctime = (int64_t)((uint64_t)s.stx_ctime.tv_sec * 1000000000u + s.stx_ctime.tv_nsec);
  out->atime = (int64_t)((uint64_t)s.stx_atime.tv_sec * 1000000000u + s.stx_atime.tv_nsec);
  out->btime = s.stx_mask & STATX_BTIME ? (int64_t)((uint64_t)s.stx_btime.tv_sec * 1000000000u + s.stx_btime.tv_nsec) : 0;
  out->mode = s.stx_mode;
  out->uid = s.stx_uid;
  out->gid = s.stx_gid;
  out->links = s.stx_nlink;
  return 0;
}

// One entry of a directory as getdents64(2) gives it.
struct linux_entry {
  const char *name; // with a 0 behind
  int length;
  unsigned char type; // DT_
};

static inline long linux_entries(int directory, void *block, unsigned int size) { return syscall(SYS_getdents64, directory, block, size); }

// The entry at `offset` of a block with `count` bytes; the next one's offset, or -1 where the block ends (or is none).
static inline long linux_next_entry(const void *block, long offset, long count, struct linux_entry *entry) {
  const long header = 19; // d_ino, d_off, d_reclen, d_type
  if (offset < 0 || count - offset <= header) return -1;
  const unsigned char *at = (const unsigned char *)block + offset;
  uint16_t length;
  memcpy(&length, at + 16, sizeof length);
  if (length <= header || length > count - offset) return -1;
  entry->name = (const char *)at + header;
  entry->length = (int)strnlen(entry->name, length - header);
  entry->type = at[18];
  return offset + length;
}

// FS_IOC_GETFLAGS, what lsattr(1) shows; -1 and errno where the file system has none.
static inline long linux_inode_flags(int descriptor) {
  unsigned int flags = 0; // the kernel writes an int, whatever the macro says
  return ioctl(descriptor, FS_IOC_GETFLAGS, &flags) == 0 ? (long)flags : -1;
}

// ioprio_set(2), idle class: reads wait for everybody else's.
static inline int linux_idle_io(void) { return (int)syscall(SYS_ioprio_set, 1, 0, 3 << 13); }
