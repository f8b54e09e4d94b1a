#include "words.h"

#include <stdlib.h>
#include <string.h>
#include "answers.h"

int is(const char *verb, const char *name) { return strcmp(verb, name) == 0; }

char **split_words(char *data, size_t size, size_t *found) {
  size_t room = 64, count = 0;
  char **words = malloc(room * sizeof *words);
  if (words == NULL) die("memory");
  for (size_t at = 0; at < size;) {
    uint32_t length;
    if (size - at < 5) exit(2);
    memcpy(&length, data + at, 4);
    if (length > size - at - 5 || data[at + 4 + length] != 0) exit(2);
    if (count == room) words = realloc(words, (room *= 2) * sizeof *words);
    if (words == NULL) die("memory");
    words[count++] = data + at + 4;
    at += 5 + length;
  }
  *found = count;
  return words;
}

/*
 * The words of a run, each with its values:
 *   uid N, gid N             the build user, in our own user name space
 *   ids N                    users and groups it stands for, from these on: more than one, and it is root of its name space
 *   processes N              the most it may have
 *   file-size N              the longest file it may make, in bytes; 0 for any
 *   data N                   memory each process may fill with data of its own, in bytes
 *   group FILE               puts the process that writes 0 to it into a control group
 *   privileges gain          programs may gain rights, by set-id bits for instance
 *   network share            that of the host
 *   proc TO, dev TO          a process file system, the usual devices
 *   bind FROM TO, ro-bind FROM TO, dev-bind FROM TO
 *   tmpfs TO MODE, dir TO MODE, symlink TARGET TO, remount-ro TO
 *   seccomp BYTES            a filter program
 *   env NAME=VALUE, builder PATH, arg TEXT
 */
int arity(const char *verb) {
  static const char *const two[] = {"bind", "ro-bind", "dev-bind", "tmpfs", "dir", "symlink"};
  static const char *const one[] = {"uid",  "gid", "ids", "processes",  "file-size", "data", "privileges", "group", "network",
                                    "proc", "dev", "remount-ro", "seccomp",   "env",  "builder",    "arg"};
  for (size_t i = 0; i < sizeof two / sizeof *two; i++)
    if (strcmp(verb, two[i]) == 0) return 2;
  for (size_t i = 0; i < sizeof one / sizeof *one; i++)
    if (strcmp(verb, one[i]) == 0) return 1;
  return -1;
}

static uint32_t word_size(const char *word) {
  uint32_t size;
  memcpy(&size, word - 4, 4);
  return size;
}

int parse_run(char **words, size_t count, struct parsed *p) {
  *p = (struct parsed){.words = words, .count = count, .filter_at = count, .bind_at = count};
  p->argv = calloc(count + 2, sizeof(char *));
  p->envp = calloc(count + 1, sizeof(char *));
  if (p->argv == NULL || p->envp == NULL) die("memory");
  size_t args = 1, variables = 0;
  for (size_t i = 0; i < count;) {
    char *verb = words[i], *value = i + 1 < count ? words[i + 1] : NULL;
    int values = arity(verb);
    if (values < 0 || i + values >= count) return -1;
    if (is(verb, "uid")) p->uid = strtoul(value, NULL, 10);
    if (is(verb, "gid")) p->gid = strtoul(value, NULL, 10);
    if (is(verb, "ids")) p->ids = strtoul(value, NULL, 10);
    if (is(verb, "processes")) p->processes = strtoul(value, NULL, 10);
    if (is(verb, "file-size")) p->file_size = strtoull(value, NULL, 10);
    if (is(verb, "data")) p->data_size = strtoull(value, NULL, 10);
    if (is(verb, "group")) p->group = value;
    if (is(verb, "privileges")) p->may_gain = is(value, "gain");
    if (is(verb, "network")) p->share_network = 1;
    if (is(verb, "builder")) p->builder = p->argv[0] = value;
    if (is(verb, "arg")) p->argv[args++] = value;
    if (is(verb, "env")) p->envp[variables++] = value;
    if (is(verb, "seccomp")) p->filter = value, p->filter_size = word_size(value), p->filter_at = i;
    if (is(verb, "bind") && i < p->bind_at) p->bind_at = i;
    i += 1 + values;
  }
  return p->builder == NULL ? -1 : 0;
}
