/** Long enough for a process of the same machine to start and to answer, however much else it does. */
const PATIENCE_MS = 30_000
const ASK_EVERY_MS = 10

/** Waits for what another process, or a timer, brings about. */
export async function eventually (what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, ASK_EVERY_MS) })
  }
}
