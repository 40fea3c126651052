// operations GROUP DIRECTORY: every file operation that the kernel audits, in a fixed order, for recording corpora.
//
// Static (gcc -static operations.c -luring), so that one binary runs in every guest. What a kernel lacks (ENOSYS) leaves no
// record and is no error. Paths are absolute unless the name of the step says otherwise: the log then teaches the map.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static char root[200];

// A path below the group's directory; a few at a time.
static const char *at(const char *name) {
  static char buffers[4][8192];
  static int next;
  char *buffer = buffers[next++ & 3];
  snprintf(buffer, 8192, "%s/%s", root, name);
  return buffer;
}

static void make(const char *name) { close(open(at(name), O_CREAT | O_WRONLY, 0644)); }
static int directory(const char *name) { return open(at(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

static long int80(long number, long a, long b, long c, long d) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return result;
}

static void opens(void) {
  close(open(at("new"), O_CREAT | O_WRONLY, 0640));           // create
  close(open(at("new"), O_WRONLY));                           // open
  close(open(at("new"), O_RDWR | O_TRUNC));                   // truncate
  close(creat(at("creat"), 0600));                            // create
  close(creat(at("creat"), 0600));                            // truncate
  int sub;
  mkdir(at("sub"), 0755);                                     // mkdir
  sub = directory("sub");
  close(openat(sub, "relative", O_CREAT | O_WRONLY, 0644));   // create, dirfd
  close(openat(sub, "relative", O_WRONLY | O_APPEND));        // open, dirfd
  mkdirat(sub, "deep", 0755);                                 // mkdir, dirfd
  close(openat(sub, "deep/two", O_CREAT | O_WRONLY, 0644));   // create, dirfd and two components
  close(openat(sub, "deep/../deep/./two", O_WRONLY));         // open, dots
  struct open_how how = {.flags = O_CREAT | O_WRONLY, .mode = 0644};
  close(syscall(SYS_openat2, sub, "how", &how, sizeof how));  // create
  how = (struct open_how){.flags = O_WRONLY | O_TRUNC};
  close(syscall(SYS_openat2, sub, "how", &how, sizeof how));  // truncate
  int temporary = open(at("sub"), O_TMPFILE | O_RDWR, 0600);  // nothing to tell
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", temporary);
  linkat(AT_FDCWD, link, sub, "given-a-name", AT_SYMLINK_FOLLOW);  // create
  close(temporary);
  struct {
    struct file_handle handle;
    char bytes[128];
  } handle = {.handle.handle_bytes = 128};
  int mount;
  if (name_to_handle_at(AT_FDCWD, at("new"), &handle.handle, &mount, 0) == 0)
    close(open_by_handle_at(sub, &handle.handle, O_WRONLY));  // open, no name
  int file = open(at("new"), O_WRONLY);                       // open
  ftruncate(file, 10);                                        // nothing before ...
  fallocate(file, 0, 0, 100);
  close(file);
  truncate(at("new"), 5);                                     // truncate
  // refused
  close(open(at("new"), O_CREAT | O_EXCL | O_WRONLY, 0644));  // EEXIST
  close(open(at("missing"), O_WRONLY));                       // ENOENT
  close(open(at("new/below"), O_CREAT | O_WRONLY, 0644));     // ENOTDIR
  close(open(at("sub"), O_WRONLY));                           // EISDIR
  close(sub);
}

static void renames(void) {
  make("a");
  make("victim");
  mkdir(at("one"), 0755);
  mkdir(at("two"), 0755);
  rename(at("a"), at("b"));                                            // rename
  rename(at("b"), at("victim"));                                       // over a victim
  rename(at("victim"), at("one/moved"));                               // across directories
  int one = directory("one"), two = directory("two");
  renameat(one, "moved", two, "again");                                // both by dirfd, no directory named
  renameat(two, "again", one, "back");
  renameat(two, "none", one, "back");                                  // ENOENT
  make("x");
  make("two/y");
  syscall(SYS_renameat2, AT_FDCWD, at("x"), two, "y", RENAME_EXCHANGE);     // exchange
  syscall(SYS_renameat2, AT_FDCWD, at("x"), two, "y", RENAME_NOREPLACE);    // EEXIST
  rename(at("one"), at("two/three"));                                  // a directory into a directory
  close(openat(one, "after", O_CREAT | O_WRONLY, 0644));               // in the moved directory, by its descriptor
  rename(at("two"), at("four"));
  close(openat(one, "later", O_CREAT | O_WRONLY, 0644));
  mkdir(at("empty"), 0755);
  rename(at("empty"), at("four"));                                     // ENOTEMPTY
  mkdir(at("four/gone"), 0755);
  rename(at("empty"), at("four/gone"));                                // over an empty directory
  mkdir("/tmp/corpus-outside", 0755);
  mkdir("/tmp/corpus-outside/in", 0755);
  close(open("/tmp/corpus-outside/in/file", O_CREAT | O_WRONLY, 0644));
  rename("/tmp/corpus-outside/in", at("in"));                          // into the tree
  rename(at("in"), "/tmp/corpus-outside/out");                         // out of it
  chdir(at("four"));
  rename("three/back", "three/front");                                 // relative to the working directory
  rename("three/front", "../front");
  chdir("/");
  close(one);
  close(two);
  unlink("/tmp/corpus-outside/out/file");
  rmdir("/tmp/corpus-outside/out");
  rmdir("/tmp/corpus-outside");
}

static void links(void) {
  make("file");
  mkdir(at("d"), 0755);
  int d = directory("d");
  link(at("file"), at("hard"));                           // link
  linkat(AT_FDCWD, at("file"), d, "hard", 0);             // link, dirfd
  linkat(d, "hard", d, "harder", 0);
  symlink("../some where", at("soft"));                   // symlink
  symlinkat("/etc/passwd", d, "soft");                    // symlink, dirfd
  unlinkat(d, "harder", 0);                               // delete of one of several names
  unlink(at("file"));
  mkdirat(d, "e", 0700);
  int e = openat(d, "e", O_RDONLY | O_DIRECTORY);
  mkdirat(e, "f", 0700);
  unlinkat(e, "f", AT_REMOVEDIR);                         // rmdir
  rmdir(at("d"));                                         // ENOTEMPTY
  mknod(at("fifo"), S_IFIFO | 0600, 0);                   // mknod
  mknodat(d, "plain", S_IFREG | 0600, 0);                 // create
  mknodat(d, "null", S_IFCHR | 0600, 0x103);              // mknod
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "%s", at("socket"));
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(s, (struct sockaddr *)&name, sizeof name);         // mknod
  close(s);
  s = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(s, (struct sockaddr *)&name, sizeof name);         // EADDRINUSE
  close(s);
  fchdir(d);
  unlink("plain");                                        // relative to the working directory
  unlink("../fifo");
  unlinkat(e, "../null", 0);                              // relative to a descriptor
  chdir("/");
  unlinkat(d, "e", AT_REMOVEDIR);
  unlink(at("missing"));                                  // ENOENT
  close(e);
  close(d);
}

static void attributes(void) {
  make("file");
  mkdir(at("d"), 0755);
  make("d/inner");
  symlink("file", at("soft"));
  int d = directory("d"), file = open(at("file"), O_RDONLY), inner = open(at("d/inner"), O_RDONLY);
  chmod(at("file"), 04755);
  fchmod(file, 0600);
  fchmodat(d, "inner", 0640, 0);
  syscall(452, d, "inner", 0600, 0);                       // fchmodat2, Linux 6.6
  chown(at("file"), 1, 2);
  fchown(inner, 3, -1);
  lchown(at("soft"), -1, 4);
  fchownat(inner, "", 5, 6, AT_EMPTY_PATH);
  fchownat(d, "inner", 7, 8, 0);
  setxattr(at("file"), "user.a", "1", 1, 0);
  lsetxattr(at("file"), "user.b", "1", 1, 0);
  fsetxattr(file, "user.c", "1", 1, 0);
  struct {
    unsigned long value;
    unsigned size, flags;
  } args = {(unsigned long)"1", 1, 0};
  syscall(463, d, "inner", 0, "user.d", &args, sizeof args);  // setxattrat, Linux 6.13
  removexattr(at("file"), "user.a");
  lremovexattr(at("file"), "user.b");
  fremovexattr(file, "user.c");
  syscall(466, d, "inner", 0, "user.d");                   // removexattrat
  // an access control list: user:1:r--, mask:r--
  static const unsigned char acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
                                      16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};
  setxattr(at("file"), "system.posix_acl_access", acl, sizeof acl, 0);
  struct timespec times[2] = {{1, 0}, {2, 0}};
  struct timeval old[2] = {{1, 0}, {2, 0}};
  struct utimbuf older = {1, 2};
  utimensat(AT_FDCWD, at("file"), times, 0);
  utimensat(d, "inner", times, 0);
  futimens(inner, times);
  syscall(SYS_utimes, at("file"), old);
  syscall(SYS_utime, at("file"), &older);
  syscall(SYS_futimesat, d, "inner", old);
  int flags = FS_NODUMP_FL;
  ioctl(file, FS_IOC_SETFLAGS, &flags);
  struct {
    unsigned long xflags;
    unsigned extsize, nextents, projid, cow;
  } attr = {0};
  syscall(469, d, "inner", &attr, sizeof attr, 0);         // file_setattr, Linux 6.17
  chmod(at("missing"), 0600);                              // ENOENT
  setxattr(at("file"), "user.long", acl, 1, XATTR_REPLACE);  // ENODATA
  close(d);
  close(file);
  close(inner);
}

static char low[4096] __attribute__((aligned(4096)));

static void compat(void) {
  // int $0x80 takes 32-bit pointers: the static, non-PIE binary's data is below 4 GB
  char *a = low, *b = low + 1024;
  strcpy(a, at("old"));
  strcpy(b, at("new"));
  long file = int80(5, (long)a, O_CREAT | O_WRONLY, 0644, 0);  // open
  int80(95, file, 7, 0xffff, 0);                              // fchown16
  int80(6, file, 0, 0, 0);
  int80(182, (long)a, 0xffff, 9, 0);                          // chown16
  int80(212, (long)a, 11, -1, 0);                             // chown32
  int80(15, (long)a, 0600, 0, 0);                             // chmod
  int80(38, (long)a, (long)b, 0, 0);                          // rename
  int80(9, (long)b, (long)a, 0, 0);                           // link
  int80(10, (long)a, 0, 0, 0);                                // unlink
  int80(92, (long)b, 3, 0, 0);                                // truncate
  strcpy(a, at("dir"));
  int80(39, (long)a, 0755, 0, 0);                             // mkdir
  int80(40, (long)a, 0, 0, 0);                                // rmdir
  int80(40, (long)a, 0, 0, 0);                                // ENOENT
  int80(10, (long)b, 0, 0, 0);
}

static void submit(struct io_uring *ring, struct io_uring_sqe *sqe, int async) {
  if (async) io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
  struct io_uring_cqe *cqe;
  if (io_uring_submit(ring) < 0 || io_uring_wait_cqe(ring, &cqe) < 0) return;
  if (cqe->res < 0) fprintf(stderr, "io_uring: %s\n", strerror(-cqe->res));
  else if (cqe->res > 0) close(cqe->res);
  io_uring_cqe_seen(ring, cqe);
}

static void uring(void) {
  struct io_uring ring;
  if (io_uring_queue_init(4, &ring, 0) < 0) return perror("io_uring"), (void)0;
  for (int async = 0; async < 2; async++) {
    char a[300], b[300], c[300], d[300];
    snprintf(a, 300, "%s", at(async ? "async-a" : "inline-a"));
    snprintf(b, 300, "%s", at(async ? "async-b" : "inline-b"));
    snprintf(c, 300, "%s", at(async ? "async-dir" : "inline-dir"));
    snprintf(d, 300, "%s", at(async ? "async-link" : "inline-link"));
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    io_uring_prep_openat(sqe, AT_FDCWD, a, O_CREAT | O_WRONLY, 0644);
    submit(&ring, sqe, async);
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_renameat(sqe, AT_FDCWD, a, AT_FDCWD, b, 0);
    submit(&ring, sqe, async);
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_mkdirat(sqe, AT_FDCWD, c, 0755);
    submit(&ring, sqe, async);
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_linkat(sqe, AT_FDCWD, b, AT_FDCWD, d, 0);
    submit(&ring, sqe, async);
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_unlinkat(sqe, AT_FDCWD, b, 0);
    submit(&ring, sqe, async);
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_unlinkat(sqe, AT_FDCWD, c, AT_REMOVEDIR);
    submit(&ring, sqe, async);
  }
  io_uring_queue_exit(&ring);
}

static void mounts(void) {
  mkdir(at("m"), 0755);
  mount("none", at("m"), "tmpfs", 0, "size=64k");
  make("m/inside");
  umount2(at("m"), MNT_DETACH);
  umount2(at("missing"), 0);  // ENOENT
  rmdir(at("m"));
}

static void hostile(const char *name) {
  make(name);
  unlink(at(name));
}

static void very_hostile(const char *name) {
  make(name);
  chmod(at(name), 0600);
  int d = open(root, O_RDONLY | O_DIRECTORY);
  char second[300];
  snprintf(second, sizeof second, "%.200s~", name);
  renameat(d, name, d, second);
  unlinkat(d, second, 0);
  close(d);
}

static void names(void) {
  very_hostile("new\nline");
  very_hostile("\"quoted\"");
  hostile("back\\slash");
  hostile("\033[31mred\033[0m\a");
  very_hostile("\xff\xfe invalid \xc3");
  very_hostile("(null)");
  very_hostile("DEADBEEF");
  hostile("2F746D70");
  hostile("trailing  ");
  hostile(" leading");
  hostile("equals=sign name=\"x\" nametype=DELETE");
  hostile("type=PATH msg=audit(1.000:1): item=0");
  hostile("\x1d" "ARCH=enriched");
  hostile("\x01");
  hostile("\x7f");
  hostile("caf\xc3\xa9 \xe2\x80\xae right to left \xf0\x9f\x99\x82");
  hostile("\xc2\x9b" "31mC1");
  hostile("~");
  char longest[256];
  memset(longest, 'x', 255);
  longest[255] = 0;
  make(longest);
  unlink(at(longest));
  memset(longest, '\001', 255);
  make(longest);
  unlink(at(longest));
  // deep, of control bytes
  char path[4096];
  int used = snprintf(path, sizeof path, "%s", root);
  while (used + 256 < 400) {
    path[used] = '/';
    memset(path + used + 1, '\002', 250);
    used += 251;
    path[used] = 0;
    mkdir(path, 0755);
  }
  memcpy(path + used, "/end", 5);
  close(open(path, O_CREAT | O_WRONLY, 0644));
  symlink("target\nwith\033controls \xff", at("link"));
}

int main(int count, char **words) {
  if (count != 3) return 2;
  static const struct {
    const char *name;
    void (*run)(void);
  } groups[] = {{"open", opens},     {"rename", renames}, {"links", links}, {"attributes", attributes},
                {"compat", compat}, {"uring", uring},   {"mounts", mounts}, {"names", names}};
  snprintf(root, sizeof root, "%s", words[2]);
  if (chdir("/") || mkdir(root, 0755)) return perror(root), 1;
  umask(022);
  for (size_t index = 0; index < sizeof groups / sizeof *groups; index++)
    if (!strcmp(groups[index].name, words[1])) return groups[index].run(), 0;
  return 2;
}
