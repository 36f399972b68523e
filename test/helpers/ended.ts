import type { ChildProcess } from 'node:child_process'

/**
 * Resolves when a process has ended, at once if it already has.
 * @returns its exit code; null if a signal ended it
 */
export async function ended (child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  return await new Promise(resolve => { child.once('exit', resolve) })
}
