import { execFileSync } from 'node:child_process'

export interface Owner {
  readonly uid?: number
  readonly gid?: number
}

/**
 * The largest file that a process may write, and those that it starts from now on: like a full disk, without
 * a disk. A soft limit, so that it can be lifted.
 * @param owner as which that process runs, where this one runs as root
 */
export function limitFiles (pid: number, bytes: number | 'unlimited', owner: Owner = {}): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`], owner)
}
