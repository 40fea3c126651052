// Counts heap allocations (LD_PRELOAD=allocations.so), by thread, into the file $ALLOCATIONS_FILE: 64 pairs of 64-bit
// numbers, thread id and count. The harness maps the same file and reads it while the program runs.
// The real functions are glibc's __libc_*: no dlsym, which allocates itself.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 64 };
struct slot { _Atomic uint64_t thread, count; };

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

static struct slot lost[SLOTS];  // before the file is mapped, and without one
static struct slot *slots = lost;
static _Atomic int used;
static __thread struct slot *mine __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void map(void) {
  const char *path = getenv("ALLOCATIONS_FILE");
  int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (fd < 0 || ftruncate(fd, sizeof lost) != 0) return;
  void *place = mmap(NULL, sizeof lost, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (place == MAP_FAILED) return;
  mine = NULL;
  used = 0;
  slots = place;
}

static void count(void) {
  if (!mine) {
    int index = atomic_fetch_add(&used, 1);
    mine = &slots[index < SLOTS ? index : SLOTS - 1];
    mine->thread = gettid();
  }
  atomic_fetch_add_explicit(&mine->count, 1, memory_order_relaxed);
}

void *malloc(size_t size) { count(); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { count(); return __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { count(); return __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
  count();
  return (*out = __libc_memalign(alignment, size)) ? 0 : ENOMEM;
}
