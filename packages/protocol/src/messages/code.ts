import { Type } from '@sinclair/typebox'
import { type ErrorCode, errorCodes } from '../errors.js'

/** An entry of the table of errors. */
export const Code = Type.Unsafe<ErrorCode>(Type.Union(errorCodes.map(code => Type.Literal(code))))
