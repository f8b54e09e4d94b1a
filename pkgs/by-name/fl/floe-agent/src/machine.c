/* The machine itself: what it says of itself, its randomness, its clock, its ports, its memory. */
#include "agent.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static void link_text(const char *path, char *to, size_t room) {
  ssize_t size = readlink(path, to, room - 1);
  to[size < 0 ? 0 : size] = 0;
}

/* HELLO payload: lines of name=value. The nonce is this process's own: another one is an agent that was restarted. */
void send_hello(uint32_t epoch) {
  static uint64_t nonce;
  /* It lasts as long as this process can. */
  static char boot_id[64];
  char system[2048], profile[2048], *text;
  int generation = 0, fd = *boot_id ? -1 : open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t size = read(fd, boot_id, sizeof boot_id - 1);
    boot_id[size < 0 ? 0 : size] = 0;
    boot_id[strcspn(boot_id, "\n")] = 0;
    close(fd);
  }
  /* Early in a boot the kernel may have no randomness yet; time and process number have to do then. */
  if (!nonce && getrandom(&nonce, sizeof nonce, GRND_NONBLOCK) != sizeof nonce) nonce = now_us() << 20 ^ getpid();
  link_text("/run/booted-system", system, sizeof system);
  link_text("/nix/var/nix/profiles/system", profile, sizeof profile);
  if (strncmp(profile, "system-", 7) == 0) generation = atoi(profile + 7);
  int size = asprintf(&text, "version=%s\nepoch=%u\nnonce=%016llx\nboot_id=%s\nsystem=%s\ngeneration=%d\n", VERSION, epoch,
                      (unsigned long long)nonce, boot_id, system, generation);
  if (size < 0) die("say hello");
  append(&output, SYNC, SYNC_SIZE);
  send_frame(HELLO, 0, text, size);
  free(text);
}

void reseed(uint32_t id, struct reader r) {
  size_t size = r.end - r.at;
  int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  /* Without RNDRESEEDCRNG a generator copied with its machine goes on with the old key for minutes. */
  if (fd < 0 || write(fd, r.at, size) != (ssize_t)size || ioctl(fd, RNDRESEEDCRNG)) send_failure(id, errno, "reseed", "/dev/urandom");
  else send_frame(DONE, id, NULL, 0);
  shut(&fd);
}

/* SET_CLOCK payload: u64 nanoseconds since 1970. */
void set_clock(uint32_t id, struct reader r) {
  if (r.end - r.at != 8) return send_failure(id, EINVAL, "set", "the clock");
  uint64_t ns = take_number(&r, 8);
  struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  if (clock_settime(CLOCK_REALTIME, &t)) send_failure(id, errno, "set", "the clock");
  else send_frame(DONE, id, NULL, 0);
}

static int open_named(const char *name, int flags) {
  char path[512], found[300];
  snprintf(path, sizeof path, "/dev/virtio-ports/%s", name);
  int fd = open(path, flags);
  if (fd >= 0) return fd;
  /* The name is in sysfs before udev has run, and in a machine without udev. */
  DIR *directory = opendir("/sys/class/virtio-ports");
  struct dirent *entry;
  while (directory && (entry = readdir(directory))) {
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%.200s/name", entry->d_name);
    FILE *file = fopen(path, "re");
    if (!file) continue;
    bool same = fgets(found, sizeof found, file) && (found[strcspn(found, "\n")] = 0, strcmp(found, name) == 0);
    fclose(file);
    if (!same) continue;
    snprintf(path, sizeof path, "/dev/%.200s", entry->d_name);
    fd = open(path, flags);
    break;
  }
  if (directory) closedir(directory);
  return fd;
}

/* A port can be opened once only, so it is opened for both directions and kept. */
int open_port(const char *name, int flags) {
  for (int tries = 0;; tries++) {
    int fd = open_named(name, flags);
    if (fd >= 0) return fd;
    if (tries == 50) fprintf(stderr, "floe-agent: still waiting for the port %s: %s\n", name, strerror(errno));
    usleep(100000);
  }
}

/* Keep that much memory in use until the end of this process. */
void hold_memory(long mebibytes) {
  size_t size = (size_t)mebibytes << 20;
  char *held = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (held == MAP_FAILED) die("hold memory");
  for (size_t at = 0; at < size; at += 4096) held[at] = 1;
  puts("holding"), fflush(stdout);
  for (;;) pause();
}
