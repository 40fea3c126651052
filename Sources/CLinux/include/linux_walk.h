// statx(2) and directory reading, for walks: dirent's name and the STATX_ macros are awkward or invisible in Swift.
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct linux_object {
  uint64_t inode;
  uint64_t mount; // 0 where the kernel does not tell (before 5.8)
  uint32_t device_major, device_minor;
  uint32_t mode, links;
};

// statx(2) of a name relative to a directory, or with name "" of the descriptor itself; never follows a symbolic link and
// never triggers an automount. `more` are further AT_ flags. By its number: glibc's and the kernel's declarations clash.
static inline int linux_statx(int directory, const char *name, int more, struct linux_object *object) {
  struct { // struct statx, include/uapi/linux/stat.h
    uint32_t mask, blksize; uint64_t attributes; uint32_t nlink, uid, gid; uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask; uint64_t times[8];
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor; uint64_t mnt_id; uint64_t spare[13];
  } s = {0};
  _Static_assert(sizeof s == 256, "struct statx");
  const unsigned mask = 0x1000u | 0x1u | 0x2u | 0x4u | 0x100u; // MNT_ID TYPE MODE NLINK INO
  const int flags = more | 0x100 | 0x800 | (name[0] ? 0 : 0x1000); // AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH
  if (syscall(SYS_statx, directory, name, flags, mask, &s) != 0) return -1;
  object->inode = s.ino;
  object->mount = (s.mask & 0x1000u) ? s.mnt_id : 0;
  object->device_major = s.dev_major;
  object->device_minor = s.dev_minor;
  object->mode = s.mode;
  object->links = s.nlink;
  return 0;
}

// What is at a path, through no symbolic link and from the kernel's caches alone; -1 and errno on failure.
static inline int linux_cached_object(const char *path, struct linux_object *object) {
  struct { uint64_t flags, mode, resolve; } how = { // struct open_how, openat2(2), include/uapi/linux/openat2.h
    010000000 | O_NOFOLLOW | O_CLOEXEC, // O_PATH: opens nothing
    0, 0x04 | 0x20, // RESOLVE_NO_SYMLINKS, RESOLVE_CACHED (since 5.12)
  };
  int descriptor = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (descriptor < 0) return -1;
  int result = linux_statx(descriptor, "", 0x4000, object); // AT_STATX_DONT_SYNC
  close(descriptor);
  return result;
}

static inline const char *linux_entry_name(const struct dirent *entry) { return entry->d_name; }
