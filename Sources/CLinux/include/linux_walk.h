// statx(2) and directory reading, for walks: dirent's name and the STATX_ macros are awkward or invisible in Swift.
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct linux_object {
  uint64_t inode;
  uint64_t mount; // 0 where the kernel does not tell
  uint32_t device_major, device_minor;
  uint32_t mode, links;
};

// statx(2) of a name relative to a directory, or with name "" of the descriptor itself; never follows a symbolic link and
// never triggers an automount. `more` are further AT_ flags. By its number, as in linux_identity.h.
// `mount` says which number of the mount is asked for: /proc/self/mountinfo's, since 5.8, or one that is not used again, since 6.8.
enum linux_mount_number { linux_mount_id = STATX_MNT_ID, linux_mount_id_unique = 0x4000 }; // STATX_MNT_ID_UNIQUE
static inline int linux_statx(int directory, const char *name, int more, enum linux_mount_number mount, struct linux_object *object) {
  struct statx s = {0};
  const unsigned mask = mount | STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_INO;
  const int flags = more | 0x100 | 0x800 | (name[0] ? 0 : 0x1000); // AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH
  if (syscall(SYS_statx, directory, name, flags, mask, &s) != 0) return -1;
  object->inode = s.stx_ino;
  object->mount = s.stx_mask & mount ? s.stx_mnt_id : 0;
  object->device_major = s.stx_dev_major;
  object->device_minor = s.stx_dev_minor;
  object->mode = s.stx_mode;
  object->links = s.stx_nlink;
  return 0;
}

// What is at a path, through no symbolic link and from the kernel's caches alone, its mount by the number that is not used
// again; -1 and errno on failure.
static inline int linux_cached_object(const char *path, struct linux_object *object) {
  struct { uint64_t flags, mode, resolve; } how = { // struct open_how, openat2(2), include/uapi/linux/openat2.h
    010000000 | O_NOFOLLOW | O_CLOEXEC, // O_PATH: opens nothing
    0, 0x04 | 0x20, // RESOLVE_NO_SYMLINKS, RESOLVE_CACHED (since 5.12)
  };
  int descriptor = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (descriptor < 0) return -1;
  int result = linux_statx(descriptor, "", 0x4000, linux_mount_id_unique, object); // AT_STATX_DONT_SYNC
  close(descriptor);
  return result;
}

static inline const char *linux_entry_name(const struct dirent *entry) { return entry->d_name; }
