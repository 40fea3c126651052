// The load of every live measurement: N rounds of create, write, rename, chmod, unlink in a directory, as fast as the
// kernel goes. Under a `perm=wa` watch each round makes 4 events (write(2) is not audited).
// usage: workload DIRECTORY ROUNDS [PAUSE_EVERY_N]
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3 || chdir(argv[1]) != 0) { fprintf(stderr, "usage: workload DIRECTORY ROUNDS\n"); return 2; }
  long rounds = atol(argv[2]);
  char a[64], b[64];
  for (long i = 0; i < rounds; i++) {
    snprintf(a, sizeof a, "w%d-%ld.tmp", (int)getpid(), i % 1000);
    snprintf(b, sizeof b, "w%d-%ld.dat", (int)getpid(), i % 1000);
    int fd = open(a, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, "data\n", 5) != 5) { perror(a); return 1; }
    close(fd);
    if (rename(a, b) != 0 || chmod(b, 0600) != 0 || unlink(b) != 0) { perror(b); return 1; }
  }
  return 0;
}
