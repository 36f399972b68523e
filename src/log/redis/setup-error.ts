/** An error of one of several servers; the message names the server and the cause. */
export class AtServer extends Error {
  override readonly name = 'AtServer'

  /** @param where continues a sentence: `its master 10.0.0.1:6379` */
  constructor (readonly where: string, override readonly cause: unknown) {
    super(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}
