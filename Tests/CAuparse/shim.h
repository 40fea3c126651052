// libauparse(3): the decoder of the audit project itself, an independent oracle for tests. Nothing else imports this.
#include <auparse.h>
