/** The client, its driver or a script did not do what a scenario asks for. The message is one sentence. */
export class Failure extends Error {
  override readonly name = 'Failure'
}

/** Waits for something that a scenario looks for, and looks again whenever anything has happened. */
export class Watch {
  private readonly looking = new Set<() => void>()

  /** Something has happened: an event of the driver, a request, the end of a connection. */
  changed (): void {
    for (const look of [...this.looking]) look()
  }

  /**
   * Waits until `find` returns something.
   * @param missing says what did not happen, if the time is up
   * @param remark is added to that
   * @throws Failure, also what `find` throws
   */
  async until<Found> (
    missing: () => string, find: () => Found | undefined, ms: number, remark: () => string = () => ''
  ): Promise<Found> {
    return await new Promise<Found>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.looking.delete(look)
      }
      const look = (): void => {
        try {
          const found = find()
          if (found === undefined) return
          end()
          resolve(found)
        } catch (error) {
          end()
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      }
      const timer = setTimeout(() => {
        end()
        reject(new Failure(`${missing()} within ${Math.round(ms / 1000)} s${remark()}`))
      }, ms)
      this.looking.add(look)
      look()
    })
  }
}
