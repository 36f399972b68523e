/** An answer of the server that refuses something, in its words. */
export class Refused extends Error {
  constructor (readonly status: number, message: string) {
    super(message)
  }
}

/** Returns the body of an answer; undefined if it has none. @throws Refused with the server's words */
export async function answerOf (response: Response): Promise<unknown> {
  const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined)
  if (response.ok) return answer
  const { message } = (answer ?? {}) as { readonly message?: unknown }
  throw new Refused(response.status, typeof message === 'string' ? message : `${response.status}`)
}
