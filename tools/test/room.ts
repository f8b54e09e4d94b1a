/**
 * Words for commands that build: while less than 4 GiB are free on the store's disk, what nothing keeps is deleted there, and no more than it takes.
 *
 * Each change to what machines are made of leaves their images and templates of before in the store, some gigabytes, which no root keeps. What others
 * refer to goes last, so compilers stay the longest.
 */
export const KEEP_ROOM: readonly string[] = ["--min-free", "4G", "--max-free", "8G"];
