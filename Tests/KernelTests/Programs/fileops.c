// System calls that no installed program makes.
// usage: fileops exchange A B | fdonly FILE | tmpfile DIRECTORY NAME | save FILE TEXT
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int fail(const char *what) { perror(what); return 1; }

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[1] : "";
  if (!strcmp(what, "exchange") && argc == 4)
    return renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE) ? fail("renameat2") : 0;
  if (!strcmp(what, "fdonly")) {
    // a descriptor for reading is opened without a record: perm=wa does not see it
    int fd = open(argv[2], O_RDONLY);
    if (fd < 0) return fail(argv[2]);
    if (fchmod(fd, 0640) || fchown(fd, 1, 1) || fsetxattr(fd, "user.test", "v", 1, 0)) return fail("fd");
    return 0;
  }
  if (!strcmp(what, "tmpfile") && argc == 4) {
    int directory = open(argv[2], O_RDONLY | O_DIRECTORY);
    int fd = open(argv[2], O_WRONLY | O_TMPFILE, 0600);
    char link[64];
    if (directory < 0 || fd < 0 || write(fd, "text\n", 5) != 5) return fail("O_TMPFILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link, directory, argv[3], AT_SYMLINK_FOLLOW) ? fail("linkat") : 0;
  }
  if (!strcmp(what, "save") && argc == 4) {
    // as careful editors do it
    char temporary[4096];
    struct stat old;
    snprintf(temporary, sizeof temporary, "%s.tmp~", argv[2]);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, argv[3], strlen(argv[3])) < 0 || fsync(fd)) return fail(temporary);
    if (!stat(argv[2], &old) && fchmod(fd, old.st_mode & 07777)) return fail("fchmod");
    close(fd);
    return rename(temporary, argv[2]) ? fail("rename") : 0;
  }
  fprintf(stderr, "usage: fileops exchange A B | fdonly FILE | tmpfile DIRECTORY NAME | save FILE TEXT\n");
  return 2;
}
