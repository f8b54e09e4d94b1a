#define _GNU_SOURCE
#include "spare.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "answers.h"
#include "builder.h"
#include "idle-spaces.h"
#include "own-space.h"

/* Its run is in no list. */
static struct {
  struct run *run;
  int slave;       /* of its terminal */
  char *words;     /* of the last request, those a spare is made from */
  size_t size;
  int is_outdated; /* they are not those this one was made from */
} spare;

static void drop_spare(void) {
  struct run *run = spare.run;
  spare.run = NULL;
  close(spare.slave);
  if (run->channel >= 0) close(run->channel);
  close(run->terminal);
  if (run->network >= 0) close(run->network);
  if (run->mounts >= 0) close(run->mounts);
  if (!run->ended) kill(run->pid, SIGKILL);
  free(run);
}

void make_spare(void) {
  struct parsed p;
  const char *failed;
  size_t count;
  if (spare.run != NULL || spare.size == 0) return;
  char **words = split_words(spare.words, spare.size, &count);
  parse_run(words, count, &p);
  spare.run = make_run(&p, &spare.slave, 1, &failed);
  spare.is_outdated = 0;
  free(p.argv);
  free(p.envp);
  free(words);
}

/*
 * Remember what the next spare is made from: the words from `seccomp` to the first `bind`, which stand together. False when
 * there can be none for such a run.
 */
static int note_words(const struct parsed *p) {
  if (p->share_network || p->bind_at == p->count || p->filter_at > p->bind_at) return 0;
  const char *start = p->words[p->filter_at] - 4;
  size_t size = p->words[p->bind_at] - 4 - start;
  if (size == spare.size && memcmp(start, spare.words, size) == 0) return 1;
  spare.words = realloc(spare.words, size);
  if (spare.words == NULL) die("memory");
  memcpy(spare.words, start, size);
  spare.size = size;
  spare.is_outdated = 1;
  return 1;
}

struct run *use_spare(const struct parsed *p, const char *data, size_t size, int *slave) {
  if (!note_words(p) || spare.run == NULL || size > MAX_SPARE_REQUEST) return NULL;
  if (spare.is_outdated) {
    drop_spare();
    return NULL;
  }
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec place = {(void *)data, size};
  struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1};
  /* Those that wait know one user each. */
  int users = p->ids > 1 ? -1 : take_users(p->uid, p->gid);
  if (users >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(header), &users, sizeof(int));
  }
  if (is_root || p->ids > 1) fchown(spare.slave, p->uid, p->gid);
  if (sendmsg(spare.run->channel, &message, MSG_NOSIGNAL) != (ssize_t)size) {
    if (users >= 0) keep_users(p->uid, p->gid, users);
    drop_spare();
    return NULL;
  }
  struct run *run = spare.run;
  run->users = users;
  *slave = spare.slave;
  spare.run = NULL;
  return run;
}

int spare_channel(void) { return spare.run != NULL ? spare.run->channel : -1; }

void hear_spare(void) {
  char text[8];
  struct run *run = spare.run;
  if (recv(run->channel, text, sizeof text, MSG_PEEK) == 1 && text[0] == 'r') hear(run);
  else drop_spare();
}

void note_end_of_spare(pid_t pid) {
  if (spare.run == NULL || spare.run->pid != pid) return;
  spare.run->ended = 1;
  drop_spare();
}

void end_spare(void) {
  if (spare.run == NULL) return;
  pid_t pid = spare.run->pid;
  drop_spare();
  waitpid(pid, NULL, 0);
}
