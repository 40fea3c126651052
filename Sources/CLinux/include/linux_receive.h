// recvmmsg(2), which glibc declares under _GNU_SOURCE alone, and the audit protocol's numbers.
#pragma once
#include <linux/audit.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

// struct mmsghdr; receive.c asserts that it is the same.
struct linux_message {
  struct msghdr header;
  unsigned int length;
};

// recvmmsg(2) without a timeout.
int linux_recvmmsg(int socket, struct linux_message *messages, unsigned int count, int flags);

// Swift sees these as enumerators of glibc's own types.
static const int linux_msg_dontwait = MSG_DONTWAIT;
static const int linux_msg_trunc = MSG_TRUNC;
