// File operations through io_uring, which no rule of the exit list sees.
// usage: uring DIRECTORY [async] [slow]: mkdir d, create f, rename f g, unlink g, rmdir d, all by IORING_OP_*AT below DIRECTORY (slow: with
// time to look at each); then waits for its standard input to end, so that /proc still knows it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct io_uring ring;
static int async, slow;

static int done(struct io_uring_sqe *sqe, const char *what) {
  struct io_uring_cqe *cqe;
  if (async) sqe->flags |= IOSQE_ASYNC;
  io_uring_submit(&ring);
  if (io_uring_wait_cqe(&ring, &cqe)) { perror(what); return -1; }
  int result = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  if (result < 0) fprintf(stderr, "%s: %s\n", what, strerror(-result));
  if (slow) usleep(150000);
  return result;
}

int main(int argc, char **argv) {
  if (argc < 2 || chdir(argv[1])) { perror("chdir"); return 2; }
  for (int i = 2; i < argc; i++) {
    async |= !strcmp(argv[i], "async");
    slow |= !strcmp(argv[i], "slow");
  }
  if (io_uring_queue_init(8, &ring, 0)) { perror("io_uring_queue_init"); return 3; }
  struct io_uring_sqe *sqe;
  int failed = 0;
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_mkdirat(sqe, AT_FDCWD, "d", 0755);
  failed |= done(sqe, "mkdirat") < 0;
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_openat(sqe, AT_FDCWD, "f", O_WRONLY | O_CREAT, 0644);
  int fd = done(sqe, "openat");
  failed |= fd < 0;
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_renameat(sqe, AT_FDCWD, "f", AT_FDCWD, "g", 0);
  failed |= done(sqe, "renameat") < 0;
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_unlinkat(sqe, AT_FDCWD, "g", 0);
  failed |= done(sqe, "unlinkat") < 0;
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_unlinkat(sqe, AT_FDCWD, "d", AT_REMOVEDIR);
  failed |= done(sqe, "unlinkat d") < 0;
  printf("done\n");
  fflush(stdout);
  char c;
  while (read(0, &c, 1) > 0) {}
  return failed;
}
