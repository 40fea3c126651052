// open(2) and openat(2) are variadic in glibc's headers, which Swift does not import.
#pragma once
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

static inline int linux_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

static inline int linux_openat(int directory, const char *path, int flags, mode_t mode) {
  return openat(directory, path, flags, mode);
}

// GNU extensions that <string.h> hides without _GNU_SOURCE (glibc 2.32 and later).
const char *strerrorname_np(int number);
void *memmem(const void *text, size_t length, const void *wanted, size_t wanted_length);
