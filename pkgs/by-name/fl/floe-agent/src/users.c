/* Users of the guest, from its own files: a static program has no name service. */
#include "agent.h"
#include <stdio.h>
#include <stdlib.h>

/* The nth field of a line whose fields end in colons, copied; NULL when there are fewer. */
static char *field(const char *line, int n, char *to, size_t room) {
  for (; n > 0; n--) {
    line = strchr(line, ':');
    if (!line) return NULL;
    line++;
  }
  size_t size = strcspn(line, ":\n");
  snprintf(to, room, "%.*s", (int)size, line);
  return to;
}

static void find_groups(struct user *user) {
  char line[4096], members[4096], number[32];
  user->groups[user->group_count++] = user->gid;
  FILE *file = fopen("/etc/group", "re");
  while (file && fgets(line, sizeof line, file)) {
    if (!field(line, 2, number, sizeof number) || !field(line, 3, members, sizeof members)) continue;
    for (char *rest = members, *name; (name = strsep(&rest, ","));)
      if (strcmp(name, user->name) == 0 && user->group_count < 64) user->groups[user->group_count++] = atoi(number);
  }
  if (file) fclose(file);
}

/* By name, or by number, which need not be in the file. */
bool find_user(const char *name, struct user *user) {
  char line[4096], text[256], *end;
  unsigned long number = strtoul(name, &end, 10);
  bool numeric = *name && !*end, found = false;
  memset(user, 0, sizeof *user);
  FILE *file = fopen("/etc/passwd", "re");
  while (!found && file && fgets(line, sizeof line, file)) {
    if (!field(line, 0, user->name, sizeof user->name) || !field(line, 2, text, sizeof text)) continue;
    if (numeric ? strtoul(text, NULL, 10) != number : strcmp(user->name, name) != 0) continue;
    user->uid = strtoul(text, NULL, 10);
    user->gid = field(line, 3, text, sizeof text) ? strtoul(text, NULL, 10) : 0;
    found = field(line, 5, user->home, sizeof user->home) && field(line, 6, user->shell, sizeof user->shell);
  }
  if (file) fclose(file);
  if (!found && !numeric) return false;
  if (!found) {
    *user = (struct user){.uid = number, .gid = number, .home = "/", .shell = "/bin/sh"};
    snprintf(user->name, sizeof user->name, "%lu", number);
  }
  find_groups(user);
  return true;
}
