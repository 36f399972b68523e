import type { TypeCheck } from '@sinclair/typebox/compiler'
import { ProtocolError } from '@tickwire/protocol'
import type { TSchema } from '@sinclair/typebox'

/** @throws ProtocolError `invalid_message`, which names the field and says what it must be */
export function demandFit (check: TypeCheck<TSchema>, body: unknown): void {
  if (check.Check(body)) return
  const first = check.Errors(body).First()
  const path = first?.path.slice(1) ?? ''
  const field = /^\w{1,64}$/.test(path) ? `'${path}'` : path === '' ? 'the body' : 'a field'
  const title = first?.schema.title
  const wanted = title === undefined ? first?.message ?? 'does not fit' : `must be ${title}`
  throw new ProtocolError('invalid_message', `${field}: ${wanted}`)
}
