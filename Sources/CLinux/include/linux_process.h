// GNU extensions that glibc's headers show to Swift only with _GNU_SOURCE.
#pragma once
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <unistd.h>

// accept4(2) by its number; flags are SOCK_NONBLOCK and SOCK_CLOEXEC.
static inline int linux_accept(int listener, int flags) { return (int)syscall(SYS_accept4, listener, (void *)0, (void *)0, flags); }

// The calling thread's name, as pthread_setname_np sets it (PR_SET_NAME, prctl(2)).
static inline void linux_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
