#define _GNU_SOURCE
#include "runs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "answers.h"
#include "builder.h"
#include "idle-spaces.h"
#include "own-space.h"
#include "spare.h"
#include "system.h"

#define OUTPUT_CHUNK 32768

struct run *runs;
/* Told to have ended, and yet to be taken down. */
static struct run *ended_runs;

static int open_terminal(int *slave) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), unlocked = 0;
  if (master < 0) return -1;
  *slave = -1;
  if (ioctl(master, TIOCSPTLCK, &unlocked) == 0) *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios settings;
  if (*slave < 0 || tcgetattr(*slave, &settings) < 0) goto failed;
  cfmakeraw(&settings);
  /* The build user is the owner of its terminal, as it would be of one it opened. */
  if (tcsetattr(*slave, TCSANOW, &settings) == 0) return master;
failed:
  if (*slave >= 0) close(*slave);
  close(master);
  return -1;
}

static int open_space(const struct run *run, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", run->pid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

struct run *make_run(const struct parsed *p, int *slave, int is_spare, const char **failed) {
  int channel[2] = {-1, -1};
  int terminal = open_terminal(slave);
  *failed = "cannot make a terminal";
  if (terminal < 0) return NULL;
  *failed = "cannot make a channel";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) goto failed;
  if ((is_root || p->ids > 1) && !is_spare) fchown(*slave, p->uid, p->gid);
  *failed = "cannot make name spaces";
  int network = p->share_network ? -1 : take_network();
  int spaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  pid_t pid = syscall(SYS_clone, spaces | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    int root = begin(p, *slave, network, channel[1]);
    if (is_spare) wait_for_run(root, *slave);
    else finish(p, root, *slave, -1);
    _exit(127);
  }
  if (pid < 0) {
    if (network >= 0) return_network(network);
    goto failed;
  }
  struct run *run = calloc(1, sizeof *run);
  if (run == NULL) die("memory");
  *run = (struct run){.pid = pid, .terminal = terminal, .channel = channel[0], .network = network, .users = -1, .mounts = -1};
  if (p->share_network) run->network = -2;
  close(channel[1]);
  fcntl(channel[0], F_SETFL, O_NONBLOCK);
  return run;
failed:;
  int error = errno;
  close(terminal);
  close(*slave);
  if (channel[0] >= 0) close(channel[0]), close(channel[1]);
  errno = error;
  return NULL;
}

void start_run(uint32_t id, char **words, size_t count, const char *data, size_t size) {
  struct parsed p;
  int slave = -1;
  const char *failed = "cannot read the request";
  struct run *run = NULL;
  errno = EINVAL;
  if (parse_run(words, count, &p) == 0) {
    run = use_spare(&p, data, size, &slave);
    if (run == NULL) run = make_run(&p, &slave, 0, &failed);
  }
  if (run == NULL) answer_failure('f', id, errno, failed);
  else {
    close(slave);
    run->id = id;
    run->uid = p.uid;
    run->gid = p.gid;
    run->ids = p.ids;
    run->next = runs;
    runs = run;
    answer_number('s', id, run->pid);
  }
  free(p.argv);
  free(p.envp);
}

/* The child is in its user name space: say who it is there, and let it go on. */
static int introduce(struct run *run) {
  char text[64];
  if (run->network == -1) run->network = open_space(run, "net");
  run->users = open_space(run, "user");
  int is_range = run->ids > 1;
  if (!is_range && write_map(run->pid, "setgroups", "deny") < 0) return -1;
  snprintf(text, sizeof text, is_range ? "0 %u %u" : "100 %u 1", run->gid, run->ids);
  if (write_map(run->pid, "gid_map", text) < 0) return -1;
  snprintf(text, sizeof text, is_range ? "0 %u %u" : "1000 %u 1", run->uid, run->ids);
  if (write_map(run->pid, "uid_map", text) < 0) return -1;
  return send(run->channel, "g", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

void hear(struct run *run) {
  char text[401];
  ssize_t size = recv(run->channel, text, sizeof text - 1, 0);
  if (size == 1 && text[0] == 'r') {
    /* A spare is ready. */
    if (run->network == -1) run->network = open_space(run, "net");
    run->mounts = open_space(run, "mnt");
  } else if (size == 1) {
    if (introduce(run) == 0) return;
    answer_failure('f', run->id, errno, "cannot set up the build user");
    run->failed = 1;
    kill(run->pid, SIGKILL);
  } else if (size > 4) {
    int error;
    memcpy(&error, text, 4);
    text[size] = 0;
    answer_failure(text[4], run->id, error, text + 5);
    run->failed = 1;
  } else if (size < 0 && errno == EAGAIN) {
    return;
  }
  if (size <= 0) {
    close(run->channel);
    run->channel = -1;
    /* The builder runs, and nothing of ours holds it up. */
    if (!run->failed) make_spare();
  }
}

int read_output(struct run *run) {
  char *place = reserve(&out, OUTPUT_CHUNK + 9);
  ssize_t size = read(run->terminal, place + 9, OUTPUT_CHUNK);
  if (size > 0) {
    uint32_t length = size + 5;
    memcpy(place, &length, 4);
    place[4] = 'o';
    memcpy(place + 5, &run->id, 4);
    out.end += size + 9;
    return 1;
  }
  /* A writer that is gone shows as an error of the device. */
  if (size == 0 || errno == EIO) run->silent = 1;
  return 0;
}

/* Tell the end of a run. What is left of it is taken down when that is on its way. */
static void tell_end(struct run **place) {
  struct run *run = *place;
  if (run->channel >= 0) hear(run);
  uint32_t ending[2] = {run->status, run->peak};
  if (!run->failed) answer('e', run->id, ending, sizeof ending);
  *place = run->next;
  run->next = ended_runs;
  ended_runs = run;
}

static void take_down(struct run *run) {
  if (run->channel >= 0) close(run->channel);
  close(run->terminal);
  if (run->mounts >= 0) close(run->mounts);
  if (run->network >= 0) recycle_network(run->network);
  if (run->users >= 0) {
    /* One whose user was never told to it is of no use; one that had a root may not be as it was. */
    if (run->failed || run->ids > 1) close(run->users);
    else keep_users(run->uid, run->gid, run->users);
  }
  free(run);
}

void reap(void) {
  int status;
  pid_t pid;
  struct rusage used;
  while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
    for (struct run *run = runs; run != NULL; run = run->next)
      if (run->pid == pid) run->ended = 1, run->status = status, run->peak = used.ru_maxrss;
    note_end_of_spare(pid);
  }
}

void kill_run(uint32_t id) {
  struct run *run = runs;
  while (run != NULL && run->id != id) run = run->next;
  /* The first process of a name space takes all others with it. */
  if (run != NULL && !run->ended) kill(run->pid, SIGKILL);
}

void tell_ends(void) {
  for (struct run **place = &runs; *place != NULL;) {
    struct run *run = *place;
    if (run->ended && out.end - out.start <= ENOUGH) {
      /* Every process of a builder that ended is dead: what is in its terminal now is all there will be. */
      while (out.end - out.start <= ENOUGH && read_output(run)) {
      }
      if (out.end - out.start <= ENOUGH) {
        tell_end(place);
        continue;
      }
    }
    place = &run->next;
  }
}

void take_down_ended(void) {
  while (ended_runs != NULL) {
    struct run *run = ended_runs;
    ended_runs = run->next;
    take_down(run);
  }
}

void end_runs(void) {
  for (struct run *run = runs; run != NULL; run = run->next)
    if (!run->ended) kill(run->pid, SIGKILL);
  for (struct run *run = runs; run != NULL; run = run->next)
    if (!run->ended) waitpid(run->pid, NULL, 0);
  end_spare();
}
