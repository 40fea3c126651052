// scanner LOG KEY: what any search of an audit.log must do at least. It splits the lines, gathers those that follow each other with one
// `audit(…)`, and writes the events one of whose records has key="KEY". Nothing is decoded.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *event;
static size_t used, room;
static int wanted;

static void finish(void) {
  if (wanted) fwrite(event, 1, used, stdout);
  used = 0;
  wanted = 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *log = fopen(argv[1], "r");
  if (!log) return 1;
  char needle[300], id[64] = "", *line = NULL;
  snprintf(needle, sizeof needle, "key=\"%s\"", argv[2]);
  size_t needle_length = strlen(needle), size = 0, id_length = 0;
  for (ssize_t length; (length = getline(&line, &size, log)) > 0;) {
    char *start = strstr(line, "audit("), *end = start ? strchr(start, ')') : NULL;
    if (!end || end - start >= (ssize_t)sizeof id) continue;
    if ((size_t)(end - start) != id_length || memcmp(start, id, id_length)) {
      finish();
      id_length = end - start;
      memcpy(id, start, id_length);
    }
    if (used + length > room) event = realloc(event, room = (used + length) * 2);
    memcpy(event + used, line, length);
    used += length;
    if (memmem(line, length, needle, needle_length)) wanted = 1;
  }
  finish();
  return 0;
}
