/* Commands: their output, errors and input apart, or at a terminal of their own. */
#include "agent.h"
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_MS 150 /* time left to whoever holds a finished command's output open */

enum { END_EXITED = 0, END_SIGNALLED = 1, END_NOT_STARTED = 2 };

sigset_t original_mask;

/* EXEC payload. */
struct order {
  const char **argv, **env, *cwd, *name;
  bool terminal;
  struct winsize size;
  struct user user;
};

/* Ends of the pipes, or of the terminal, which is all three. */
struct plumbing { int in[2], out[2], err[2]; };

/* Why a command was not started: its process writes this into our memory, which it shares until the program begins. */
static volatile int trouble;

/* Add what has no value yet. */
static void add_variable(char **env, size_t *count, char *pair) {
  size_t size = strcspn(pair, "=");
  if (!pair[size]) return;
  for (size_t i = 0; i < *count; i++)
    if (strncmp(env[i], pair, size + 1) == 0) return;
  env[(*count)++] = pair;
}

/* What is ordered comes before what belongs to the user, and that before what the agent has. The caller frees the array. */
static char **make_environment(const struct order *order) {
  static char own[4][sizeof order->user.home + 16];
  const struct user *user = &order->user;
  size_t count = 0, most = 5;
  for (const char **each = order->env; *each; each++) most++;
  for (char **each = environ; *each; each++) most++;
  char **env = calloc(most, sizeof *env);
  if (!env) die("hold an environment");
  for (const char **each = order->env; *each; each++) add_variable(env, &count, (char *)*each);
  if (order->name[0]) {
    snprintf(own[0], sizeof own[0], "HOME=%s", user->home), snprintf(own[1], sizeof own[1], "USER=%s", user->name);
    snprintf(own[2], sizeof own[2], "LOGNAME=%s", user->name), snprintf(own[3], sizeof own[3], "SHELL=%s", user->shell);
    for (int i = 0; i < 4; i++) add_variable(env, &count, own[i]);
  }
  for (char **each = environ; *each; each++) add_variable(env, &count, *each);
  return env;
}

/* The agent waits and lends its memory, so nothing is written here but what it knows of. */
static void __attribute__((noreturn, noinline)) child(const struct order *order, const struct plumbing *p) {
  const struct user *user = &order->user;
  setsid();
  for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
  sigprocmask(SIG_SETMASK, &original_mask, NULL);
  if (order->terminal) ioctl(p->in[0], TIOCSCTTY, 0);
  dup2(p->in[0], 0), dup2(p->out[1], 1), dup2(p->err[1], 2);
  /* The agent is spared when memory runs out; what it starts is not. */
  int spared = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (spared >= 0 && write(spared, "0", 1) < 0) spared = -1;
  if (order->name[0] && (setgroups(user->group_count, user->groups) || setgid(user->gid) || setuid(user->uid))) trouble = EPERM;
  else if (*order->cwd && chdir(order->cwd)) trouble = errno;
  else execvp(order->argv[0], (char *const *)order->argv), trouble = errno;
  _exit(127);
}

/*
 * The program gets memory of its own. Copying the agent's for the few lines before that would be work for nothing, and in a copy of a machine, where all
 * code is translated anew, it is some of the first command.
 */
static pid_t __attribute__((noinline)) spawn(const struct order *order, const struct plumbing *p) {
  pid_t pid = vfork();
  if (pid == 0) child(order, p);
  return pid;
}

static void send_end(struct stream *s, int kind, int value, bool held_open) {
  struct bytes b = {0};
  append_number(&b, kind, 1), append_number(&b, (uint32_t)value, 4);
  append_number(&b, s->exited_us - s->started_us, 8), append_number(&b, held_open, 1);
  send_frame(EXITED, s->id, b.data, queued(&b));
  drop(&b);
}

static int make_terminal(struct plumbing *p, const struct winsize *size) {
  char name[64];
  p->in[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (p->in[1] < 0 || grantpt(p->in[1]) || unlockpt(p->in[1]) || ptsname_r(p->in[1], name, sizeof name)) return -1;
  ioctl(p->in[1], TIOCSWINSZ, size);
  p->in[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  p->out[0] = fcntl(p->in[1], F_DUPFD_CLOEXEC, 0);
  p->out[1] = fcntl(p->in[0], F_DUPFD_CLOEXEC, 0);
  p->err[1] = fcntl(p->in[0], F_DUPFD_CLOEXEC, 0);
  return p->in[0] < 0 || p->out[0] < 0 || p->out[1] < 0 || p->err[1] < 0 ? -1 : 0;
}

static int make_pipes(struct plumbing *p) {
  return pipe2(p->in, O_CLOEXEC) || pipe2(p->out, O_CLOEXEC) || pipe2(p->err, O_CLOEXEC) ? -1 : 0;
}

/* Start what is ordered. Returns 0 or the reason, as an error number. */
static int launch(struct stream *s, const struct order *order, struct plumbing *p) {
  if (order->terminal ? make_terminal(p, &order->size) : make_pipes(p)) return errno;
  s->started_us = s->exited_us = now_us();
  /* A program is looked for on the path that it will have itself. */
  char **own = environ;
  environ = make_environment(order);
  trouble = 0;
  s->pid = spawn(order, p);
  int error = s->pid < 0 ? errno : trouble;
  free(environ);
  environ = own;
  if (error && s->pid > 0) waitpid(s->pid, NULL, 0);
  return error;
}

/* EXEC payload: list of arguments, list of NAME=value, working directory, user, u8 terminal, u16 rows, u16 columns. */
void start_command(uint32_t id, struct reader r) {
  struct order order = {0};
  struct plumbing p = {{-1, -1}, {-1, -1}, {-1, -1}};
  order.argv = take_list(&r), order.env = take_list(&r), order.cwd = take_text(&r), order.name = take_text(&r);
  order.terminal = take_number(&r, 1);
  order.size.ws_row = take_number(&r, 2), order.size.ws_col = take_number(&r, 2);
  struct stream *s = new_stream(id, COMMAND);
  int error = s ? 0 : errno;
  if (!order.argv || !order.argv[0] || !order.env || !order.cwd || !order.name) error = EINVAL;
  if (!error && order.name[0] && !find_user(order.name, &order.user)) error = ESRCH;
  if (!error) error = launch(s, &order, &p);
  shut(&p.in[0]), shut(&p.out[1]), shut(&p.err[1]);
  if (error) {
    shut(&p.in[1]), shut(&p.out[0]), shut(&p.err[0]);
    struct stream none = {.id = id};
    send_end(s ? s : &none, END_NOT_STARTED, error, false);
    if (s) free_stream(s);
  } else {
    s->in = p.in[1], s->out = p.out[0], s->err = p.err[0], s->terminal = order.terminal;
    fcntl(s->in, F_SETFL, O_NONBLOCK), fcntl(s->out, F_SETFL, O_NONBLOCK), fcntl(s->err, F_SETFL, O_NONBLOCK);
    send_number(STARTED, id, s->pid, 4);
  }
  free(order.argv), free(order.env);
}

void resize_terminal(struct stream *s, struct reader r) {
  struct winsize size = {.ws_row = take_number(&r, 2), .ws_col = take_number(&r, 2)};
  if (s->terminal && s->out >= 0) ioctl(s->out, TIOCSWINSZ, &size);
}

void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < MAX_STREAMS; i++)
      if (streams[i].kind == COMMAND && streams[i].pid == pid) {
        streams[i].exited = true;
        streams[i].status = status;
        streams[i].exited_us = now_us();
      }
}

/*
 * Report a command that has exited once its output is drained, or once the time for draining is over.
 * Returns after how many milliseconds to look again; -1 when there is nothing to look at.
 */
int settle(struct stream *s, bool full) {
  if (s->kind == LINGERING && s->out < 0 && s->err < 0) free_stream(s);
  if (s->kind != COMMAND || !s->exited) return -1;
  bool open = s->out >= 0 || s->err >= 0;
  if (open && full) return -1;
  int left = DRAIN_MS - (now_us() - s->exited_us) / 1000;
  if (open && left > 0) return left;
  bool signalled = WIFSIGNALED(s->status);
  send_end(s, signalled ? END_SIGNALLED : END_EXITED, signalled ? WTERMSIG(s->status) : WEXITSTATUS(s->status), open);
  shut(&s->in);
  if (open) s->kind = LINGERING;
  else free_stream(s);
  return -1;
}
