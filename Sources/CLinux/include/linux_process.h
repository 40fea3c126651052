// GNU extensions that glibc's headers show to Swift only with _GNU_SOURCE.
#pragma once
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <unistd.h>

// accept4(2) by its number; flags are SOCK_NONBLOCK and SOCK_CLOEXEC.
static inline int linux_accept(int listener, int flags) { return (int)syscall(SYS_accept4, listener, (void *)0, (void *)0, flags); }

// Who is at the other end of a local socket, as the kernel knows it (SO_PEERCRED, unix(7)).
static inline int linux_peer(int descriptor, int *process, unsigned int *user) {
  // struct ucred, which glibc shows only with _GNU_SOURCE
  struct { int pid; unsigned int uid, gid; } peer;
  socklen_t size = sizeof peer;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
  *process = peer.pid;
  *user = peer.uid;
  return 0;
}

// The calling thread's name, as pthread_setname_np sets it (PR_SET_NAME, prctl(2)).
static inline void linux_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
