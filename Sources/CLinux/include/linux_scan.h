// What a baseline needs of a file: all of statx(2), whole blocks of getdents64(2), inode flags. By their numbers, as in linux_walk.h.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
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
  struct { // struct statx, include/uapi/linux/stat.h
    uint32_t mask, blksize; uint64_t attributes; uint32_t nlink, uid, gid; uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask;
    struct { int64_t sec; uint32_t nsec; int32_t reserved; } atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor; uint64_t mnt_id; uint64_t spare[13];
  } s;
  _Static_assert(sizeof s == 256, "struct statx");
  const int flags = 0x100 | 0x800 | (name[0] ? 0 : 0x1000); // AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH
  if (syscall(SYS_statx, directory, name, flags, 0xfffu | 0x1000u, &s) != 0) return -1; // BASIC_STATS, BTIME, MNT_ID
  out->inode = s.ino;
  out->size = s.size;
  out->blocks = s.blocks;
  out->mount = (s.mask & 0x1000u) ? s.mnt_id : 0;
  const uint64_t high = s.dev_major, low = s.dev_minor;
  out->device = (high & 0xfff) << 8 | (high & ~0xfffull) << 32 | (low & 0xff) | (low & ~0xffull) << 12;
  out->mtime = (int64_t)((uint64_t)s.mtime.sec * 1000000000u + s.mtime.nsec);
  out->ctime = (int64_t)((uint64_t)s.ctime.sec * 1000000000u + s.ctime.nsec);
  out->atime = (int64_t)((uint64_t)s.atime.sec * 1000000000u + s.atime.nsec);
  out->btime = (s.mask & 0x800u) ? (int64_t)((uint64_t)s.btime.sec * 1000000000u + s.btime.nsec) : 0;
  out->mode = s.mode;
  out->uid = s.uid;
  out->gid = s.gid;
  out->links = s.nlink;
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
