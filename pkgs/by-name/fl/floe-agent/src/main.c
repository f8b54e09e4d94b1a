/*
 * Usage: floe-agent [--name PORT] | --fd N | --pipe PORT COMMAND [ARGUMENT...] | --hold MEBIBYTES
 *   --pipe opens the port as standard output and runs the command, which is how the journal leaves the guest.
 *   --hold uses that much memory until it is killed.
 */
#include "agent.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

static struct bytes input;
static int port = -1;
static bool synced, host_away;

static void begin_epoch(uint32_t number) {
  end_streams();
  drop(&output);
  send_hello(number);
}

static void handle(uint8_t type, uint32_t id, struct reader r) {
  struct stream *s = find_stream(id);
  enum kind kind = s ? s->kind : FREE;
  switch (type) {
    case EPOCH: if (r.end - r.at == 4) begin_epoch(get32(r.at)); break;
    case PING: send_frame(PONG, id, r.at, r.end - r.at); break;
    case EXEC: start_command(id, r); break;
    case STDIN: if (kind == COMMAND || kind == CONNECTION || kind == CONNECTING) take_input(s, &r); break;
    case STDOUT_READ: if (kind == CONNECTION) s->credit += take_number(&r, 4); break;
    case RESIZE: if (kind == COMMAND) resize_terminal(s, r); break;
    case KILL:
      if (kind == COMMAND && !s->exited && r.end - r.at == 4) kill(-s->pid, get32(r.at));
      if (kind == CONNECTING || kind == CONNECTION || kind == WATCHING || kind == INCOMING || kind == OUTGOING) free_stream(s);
      break;
    case PUT: start_put(id, r); break;
    case PUT_DATA: if (kind == INCOMING) put_data(s, r); break;
    case PUT_HOLE: if (kind == INCOMING) put_hole(s, r); break;
    case PUT_END: if (kind == INCOMING) put_end(s); break;
    case GET: start_get(id, r); break;
    case RESEED: reseed(id, r); break;
    case SET_CLOCK: set_clock(id, r); break;
    case CONNECT: start_connection(id, r); break;
    case WATCH: start_watch(id, r); break;
    default: synced = false;
  }
}

static void take_frames(void) {
  while (queued(&input)) {
    uint8_t *at = input.data + input.start;
    size_t size = queued(&input);
    if (!synced || (size >= 4 && get32(at) == 0)) {
      uint8_t *found = memmem(at, size, SYNC, SYNC_SIZE);
      if (found) {
        input.start += found - at + SYNC_SIZE;
        synced = true;
        continue;
      }
      if (synced && size < SYNC_SIZE) return;
      synced = false;
      /* The mark may lie across two reads, so its longest possible beginning stays. */
      if (size >= SYNC_SIZE) input.start += size - (SYNC_SIZE - 1);
      return;
    }
    if (size < 4) return;
    uint32_t length = get32(at);
    if (length < 5 || length > MAX_FRAME) { synced = false; continue; }
    if (size < 4 + length) return;
    input.start += 4 + length;
    handle(at[4], get32(at + 5), (struct reader){at + 9, at + 4 + length});
  }
}

static void read_port(void) {
  for (int i = 0; i < 16; i++) {
    ssize_t size = read(port, reserve(&input, CHUNK), CHUNK);
    if (size > 0) { input.end += size; take_frames(); continue; }
    /* End of file means that nobody is connected on the host's side yet. */
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) host_away = true;
    return;
  }
}

static void write_port(void) {
  while (queued(&output)) {
    ssize_t size = write(port, output.data + output.start, queued(&output));
    if (size > 0) { output.start += size; continue; }
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) host_away = true;
    return;
  }
}

static void sooner(int *timeout, int milliseconds) {
  if (milliseconds >= 0 && (*timeout < 0 || milliseconds < *timeout)) *timeout = milliseconds;
}

/* Do what can be done for a stream. Returns after how many milliseconds to look again; -1 when it will be told. */
static int serve(struct stream *s) {
  switch (s->kind) {
    case COMMAND: case LINGERING:
      read_output(s, &s->out, STDOUT);
      read_output(s, &s->err, STDERR);
      if (s->kind == COMMAND) write_input(s);
      return settle(s, queued(&output) >= OUTPUT_HIGH);
    case OUTGOING: continue_get(s); return s->kind == OUTGOING && queued(&output) < OUTPUT_HIGH ? 0 : -1;
    case CONNECTING: case CONNECTION: continue_connection(s); return -1;
    case WATCHING: return continue_watch(s);
    default: return -1;
  }
}

static int add_streams(struct pollfd *fds, int count) {
  bool full = queued(&output) >= OUTPUT_HIGH;
  for (int i = 0; i < MAX_STREAMS; i++) {
    struct stream *s = &streams[i];
    bool two_ways = s->kind == COMMAND || s->kind == CONNECTION;
    bool reads = s->kind == LINGERING || s->kind == WATCHING || (two_ways && !full && (s->kind == COMMAND || s->credit > 0));
    if (s->out >= 0 && reads) fds[count++] = (struct pollfd){.fd = s->out, .events = POLLIN};
    if (s->err >= 0 && reads) fds[count++] = (struct pollfd){.fd = s->err, .events = POLLIN};
    if (two_ways && s->in >= 0 && queued(&s->input)) fds[count++] = (struct pollfd){.fd = s->in, .events = POLLOUT};
    if (s->kind == CONNECTING) fds[count++] = (struct pollfd){.fd = s->out, .events = POLLOUT};
  }
  return count;
}

static void run(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, &original_mask);
  signal(SIGPIPE, SIG_IGN);
  int children = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC), timeout = -1;
  if (children < 0) die("watch children");
  send_hello(0);
  for (;;) {
    static struct pollfd fds[3 * MAX_STREAMS + 2];
    int count = 0;
    fds[count++] = (struct pollfd){.fd = children, .events = POLLIN};
    /* A port whose host is away reports a hang-up for ever: look again after a pause. */
    if (host_away) sooner(&timeout, 50);
    else fds[count++] = (struct pollfd){.fd = port, .events = POLLIN | (queued(&output) ? POLLOUT : 0)};
    poll(fds, add_streams(fds, count), timeout);
    struct signalfd_siginfo info;
    while (read(children, &info, sizeof info) > 0) {}
    reap();
    host_away = false;
    read_port();
    timeout = -1;
    for (int i = 0; i < MAX_STREAMS; i++) sooner(&timeout, serve(&streams[i]));
    write_port();
    /* A file that waited for room has it now. */
    for (int i = 0; i < MAX_STREAMS; i++)
      if (streams[i].kind == OUTGOING && queued(&output) < OUTPUT_HIGH) timeout = 0;
  }
}

int main(int argc, char **argv) {
  const char *name = "org.floe.agent.0";
  if (argc >= 4 && strcmp(argv[1], "--pipe") == 0) {
    int fd = open_port(argv[2], O_RDWR | O_CLOEXEC);
    if (dup2(fd, 1) < 0) die("redirect the output");
    execvp(argv[3], argv + 3);
    die("run the command");
  }
  if (argc == 3 && strcmp(argv[1], "--hold") == 0) hold_memory(atol(argv[2]));
  if (argc == 3 && strcmp(argv[1], "--name") == 0) name = argv[2];
  else if (argc == 3 && strcmp(argv[1], "--fd") == 0) {
    /* Whoever gave the descriptor owns this process. */
    port = atoi(argv[2]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(port, F_SETFL, O_NONBLOCK), fcntl(port, F_SETFD, FD_CLOEXEC);
  } else if (argc != 1) {
    fprintf(stderr, "usage: floe-agent [--name PORT] | --fd N | --pipe PORT COMMAND [ARGUMENT...] | --hold MEBIBYTES\n");
    return 2;
  }
  /* What a service manager tells this process is not for the commands it runs. */
  unsetenv("INVOCATION_ID"), unsetenv("JOURNAL_STREAM"), unsetenv("NOTIFY_SOCKET"), unsetenv("SYSTEMD_EXEC_PID");
  /* A shell that is not told looks it up each time, by way of all that knows of users. */
  struct user self;
  char number[16];
  snprintf(number, sizeof number, "%u", getuid());
  if (!getenv("SHELL") && find_user(number, &self)) setenv("SHELL", self.shell, 1);
  if (port < 0) port = open_port(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  run();
}
