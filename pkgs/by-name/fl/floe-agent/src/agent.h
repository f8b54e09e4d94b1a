/*
 * floe-agent: the hand of a machine test inside its guest.
 *
 * It speaks a framed protocol over one byte stream, normally the virtio-serial port org.floe.agent.0:
 *
 *   frame = u32 length | u8 type | u32 stream | payload        (little endian; length counts what follows it)
 *
 * A length of zero never occurs in a frame, so the sixteen bytes of SYNC mark a place where framing starts again. Each
 * side writes SYNC before its first frame (EPOCH by the host, HELLO by the agent) and drops what it reads before seeing it.
 * A new EPOCH ends all running commands and open transfers: what the host does not know about must not go on.
 *
 * vm-tests/driver/agent-protocol.ts has the same numbers, and says what each payload holds.
 */
#ifndef FLOE_AGENT_H
#define FLOE_AGENT_H
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define VERSION "2"
#define SYNC "\0\0\0\0FLOE-SYNC-1\n"
#define SYNC_SIZE 16
#define MAX_FRAME (1 << 20)      /* no frame is longer: a larger length means that framing was lost */
#define CHUNK (32 << 10)         /* payload of one data frame */
#define OUTPUT_HIGH (512 << 10)  /* unsent bytes above which nothing more is read from commands, files and sockets */
#define WINDOW (256 << 10)       /* bytes either side may send ahead of what the other has taken */
#define MAX_STREAMS 256

enum {
  EPOCH = 0x01, HELLO = 0x02, PING = 0x03, PONG = 0x04,
  EXEC = 0x10, STDIN = 0x11, KILL = 0x12, RESIZE = 0x13,
  STARTED = 0x20, STDOUT = 0x21, STDERR = 0x22, EXITED = 0x23, STDIN_READ = 0x24, STDOUT_READ = 0x25,
  PUT = 0x30, PUT_DATA = 0x31, PUT_END = 0x32, GET = 0x33, GET_DATA = 0x34, GET_END = 0x35, PUT_HOLE = 0x36, GET_HOLE = 0x37,
  RESEED = 0x40, SET_CLOCK = 0x41,
  DONE = 0x50, FAILED = 0x51,
  CONNECT = 0x60, WATCH = 0x61, SEEN = 0x62,
};

struct bytes { uint8_t *data; size_t start, end, room; };

/* A payload that is being read. */
struct reader { const uint8_t *at, *end; };

/* FREE; a running command; a finished one whose output someone holds open; a file going in; a file going out; a socket
   that is not connected yet; one that is; a condition that is waited for */
enum kind { FREE, COMMAND, LINGERING, INCOMING, OUTGOING, CONNECTING, CONNECTION, WATCHING };

struct watch;

struct stream {
  enum kind kind;
  uint32_t id;
  pid_t pid;
  int in, out, err;       /* of a command or a connection; `in` is also the file of a transfer, `out` the inotify of a watch */
  bool exited, in_ended;  /* the command has; the host sends no more */
  bool terminal;          /* the command sits at a terminal */
  int status;
  int64_t started_us, exited_us;
  struct bytes input;
  size_t credit;          /* bytes the host still takes from a connection */
  uint64_t hole;          /* bytes of an incoming file that are skipped and not yet part of its size */
  char *path, *temporary;
  struct watch *watch;
};

extern struct stream streams[MAX_STREAMS];
extern struct bytes output;
extern sigset_t original_mask;

/* frames.c */
void die(const char *what) __attribute__((noreturn));
int64_t now_us(void);
size_t queued(const struct bytes *b);
uint8_t *reserve(struct bytes *b, size_t size);
void append(struct bytes *b, const void *data, size_t size);
void append_number(struct bytes *b, uint64_t value, int size);
void drop(struct bytes *b);
uint32_t get32(const uint8_t *p);
uint64_t take_number(struct reader *r, int size);
const char *take_text(struct reader *r);
const char **take_list(struct reader *r);
void send_frame(uint8_t type, uint32_t stream, const void *payload, size_t size);
void send_number(uint8_t type, uint32_t stream, uint64_t value, int size);
void send_failure(uint32_t stream, int error, const char *what, const char *name);

/* streams.c */
struct stream *find_stream(uint32_t id);
struct stream *new_stream(uint32_t id, enum kind kind);
void free_stream(struct stream *s);
void end_streams(void);
void shut(int *fd);
void read_output(struct stream *s, int *fd, uint8_t type);
void take_input(struct stream *s, const struct reader *r);
void write_input(struct stream *s);

/* commands.c */
void start_command(uint32_t id, struct reader r);
void resize_terminal(struct stream *s, struct reader r);
void reap(void);
int settle(struct stream *s, bool full);

/* users.c */
struct user { uid_t uid; gid_t gid; gid_t groups[64]; int group_count; char name[64], home[256], shell[256]; };
bool find_user(const char *name, struct user *user);

/* files.c */
void start_put(uint32_t id, struct reader r);
void put_data(struct stream *s, struct reader r);
void put_hole(struct stream *s, struct reader r);
void put_end(struct stream *s);
void start_get(uint32_t id, struct reader r);
void continue_get(struct stream *s);

/* connections.c */
void start_connection(uint32_t id, struct reader r);
void continue_connection(struct stream *s);

/* watches.c */
void start_watch(uint32_t id, struct reader r);
int continue_watch(struct stream *s);
void free_watch(struct watch *w);

/* machine.c */
void send_hello(uint32_t epoch);
void reseed(uint32_t id, struct reader r);
void set_clock(uint32_t id, struct reader r);
int open_port(const char *name, int flags);
void hold_memory(long mebibytes) __attribute__((noreturn));

#endif
