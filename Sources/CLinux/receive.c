#define _GNU_SOURCE
#include "linux_receive.h"
#include <stddef.h>

_Static_assert(sizeof(struct linux_message) == sizeof(struct mmsghdr), "mirrors struct mmsghdr");
_Static_assert(offsetof(struct linux_message, length) == offsetof(struct mmsghdr, msg_len), "mirrors struct mmsghdr");

int linux_recvmmsg(int socket, struct linux_message *messages, unsigned int count, int flags) {
  return recvmmsg(socket, (struct mmsghdr *)messages, count, flags, 0);
}
