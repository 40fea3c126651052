// walk [-h] DIRECTORY: a bare statx walk, the floor of `fsaudit check`; with -h two threads also read and SHA-256 every file, the floor of init.
#define _GNU_SOURCE
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry { unsigned long inode; long offset; unsigned short length; unsigned char type; char name[]; };

enum { workers = 2, slots = 64 };
static int queue[slots], head, tail, ended, hashes;
static long objects;
static unsigned long bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;

static void *work(void *unused) {
  char *block = malloc(128 << 10);
  EVP_MD *method = EVP_MD_fetch(0, "SHA256", 0);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  unsigned char digest[EVP_MAX_MD_SIZE];
  for (;;) {
    pthread_mutex_lock(&lock);
    while (head == tail && !ended) pthread_cond_wait(&filled, &lock);
    if (head == tail) { pthread_mutex_unlock(&lock); return 0; }
    int file = queue[head++ % slots];
    pthread_cond_signal(&emptied);
    pthread_mutex_unlock(&lock);
    EVP_DigestInit_ex(context, method, 0);
    long count;
    while ((count = read(file, block, 128 << 10)) > 0) EVP_DigestUpdate(context, block, count);
    EVP_DigestFinal_ex(context, digest, 0);
    close(file);
  }
}

static void add(int file) {
  pthread_mutex_lock(&lock);
  while (tail - head == slots) pthread_cond_wait(&emptied, &lock);
  queue[tail++ % slots] = file;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&lock);
}

static void walk(int directory) {
  char *block = malloc(65536), *names = 0;
  size_t used = 0, room = 0;
  long count;
  while ((count = syscall(SYS_getdents64, directory, block, 65536)) > 0)
    for (long at = 0; at < count;) {
      struct entry *entry = (struct entry *)(block + at);
      at += entry->length;
      const char *name = entry->name;
      if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))) continue;
      struct statx status;
      if (statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status)) continue;
      objects++;
      bytes += status.stx_size;
      if (S_ISDIR(status.stx_mode)) {
        size_t length = strlen(name) + 1;
        if (used + length > room) names = realloc(names, room = 2 * (room + length));
        memcpy(names + used, name, length);
        used += length;
      } else if (hashes && S_ISREG(status.stx_mode)) {
        int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file >= 0) add(file);
      }
    }
  free(block);
  for (size_t at = 0; at < used; at += strlen(names + at) + 1) {
    int child = openat(directory, names + at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) continue;
    walk(child);
    close(child);
  }
  free(names);
}

int main(int count, char **words) {
  hashes = count > 2 && !strcmp(words[1], "-h");
  int root = open(words[count - 1], O_RDONLY | O_DIRECTORY);
  if (root < 0) return 1;
  pthread_t threads[workers];
  for (int n = 0; hashes && n < workers; n++) pthread_create(&threads[n], 0, work, 0);
  walk(root);
  pthread_mutex_lock(&lock);
  ended = 1;
  pthread_cond_broadcast(&filled);
  pthread_mutex_unlock(&lock);
  for (int n = 0; hashes && n < workers; n++) pthread_join(threads[n], 0);
  printf("%ld objects, %lu bytes\n", objects, bytes);
}
