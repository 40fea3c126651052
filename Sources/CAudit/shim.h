// libaudit(3): rule translation tables and the netlink control protocol. Only AuditControl imports this.
#include <libaudit.h>
