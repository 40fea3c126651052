// The floor of every live measurement: registers as the audit daemon, takes every record from the socket, keeps none.
// On SIGTERM it unregisters and prints how many events with a file came (they have one CWD record each).
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SLOT = 9216 };  // a record is at most 8970 bytes long (libaudit.h)

// How long it lets records gather when it has taken many and none is left, as fsaudit does: a wake-up costs as much as taking
// many records, so a drain that never rests would not be the floor.
enum { REST_MICROSECONDS = 2000 };

static char slots[BATCH][SLOT];
static volatile sig_atomic_t stopping;

static void stop(int signal) { (void)signal; stopping = 1; }

// Says to the kernel who the daemon is. The answer comes among the records and is not looked at: the harness looks at AUDIT_GET.
static int set_daemon(int fd, pid_t pid) {
  struct { struct nlmsghdr header; struct audit_status status; } request = {
    .header = {.nlmsg_len = sizeof request, .nlmsg_type = AUDIT_SET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
    .status = {.mask = AUDIT_STATUS_PID, .pid = pid},
  };
  return send(fd, &request, sizeof request, 0) == sizeof request ? 0 : -1;
}

int main(void) {
  struct sigaction action = {.sa_handler = stop};  // no SA_RESTART: it is to end the call
  sigaction(SIGTERM, &action, NULL);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
  int bytes = 16 << 20;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0 || set_daemon(fd, getpid()) != 0) {
    perror("drain");
    return 1;
  }
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){.iov_base = slots[i], .iov_len = SLOT};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  long events = 0, overruns = 0, burst = 0;
  while (!stopping) {
    int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (count < 0) {
      if (errno == ENOBUFS) overruns++;
      else if (errno != EINTR) { perror("recvmmsg"); return 1; }
      continue;
    }
    for (int i = 0; i < count; i++) events += ((struct nlmsghdr *)slots[i])->nlmsg_type == AUDIT_CWD;
    burst += count;
    if (count == BATCH) continue;
    if (burst > 2 * BATCH) usleep(REST_MICROSECONDS);
    burst = 0;
  }
  set_daemon(fd, 0);
  printf("%ld events, %ld overruns\n", events, overruns);
  return 0;
}
