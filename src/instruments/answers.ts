import { type Static, Type } from '@sinclair/typebox'

const code = Type.String({ description: 'of the table of errors' })

/** The answer to `PUT /v1/admin/symbols`. */
export const PutAnswer = Type.Object({
  accepted: Type.Integer(),
  rejected: Type.Array(Type.Object({
    index: Type.Integer({ description: 'in the request' }),
    field: Type.Optional(Type.String({ description: 'the field that is wrong' })),
    code,
    message: Type.String()
  }))
})
export type PutAnswer = Static<typeof PutAnswer>

/** The answer to `DELETE /v1/admin/symbols`. */
export const RemoveAnswer = Type.Object({
  removed: Type.Array(Type.String()),
  rejected: Type.Array(Type.Object({ symbol: Type.String(), code, message: Type.String() }))
})
export type RemoveAnswer = Static<typeof RemoveAnswer>
