/** Claims that the verifier checks with the signature; claims.ts checks the others. */
const JUDGED = /^(?:The|None of) (sub|exp|nbf|iat|iss|aud) claim/

/** The settings with which claims are compared. */
const SETTINGS: Readonly<Record<string, string>> = { iss: 'JWT_ISSUER', aud: 'JWT_AUDIENCE' }

export const NOT_A_JWT = 'the token is not a JWT, which is three parts of base64url divided by dots'
/** One text for every fault of the key: a stranger must not learn which keys there are, or of which kind. */
export const NOT_OURS = 'the token is not signed with a key of this server'

/**
 * Says to the bearer of a token why the verifier refuses it. The verifier checks the signature before any
 * claim, so that only the bearer of a genuine token learns something of its claims.
 * @param payload returns the claims of the token
 */
export function tokenFault (error: unknown, payload: () => unknown): string {
  const { code, message } = error as { code?: string, message?: string }
  const claim = JUDGED.exec(message ?? '')?.[1]
  switch (code) {
    case 'FAST_JWT_EXPIRED': return `the token expired at ${instant(payload(), 'exp')}`
    case 'FAST_JWT_INACTIVE': return `the token is valid only from ${instant(payload(), 'nbf')} on`
    case 'FAST_JWT_MISSING_REQUIRED_CLAIM':
      return `the token has no ${claim ?? 'required claim'}: it needs sub, exp, iss and aud`
    case 'FAST_JWT_INVALID_CLAIM_TYPE': return `the ${claim ?? 'claim'} of the token has the wrong type`
    case 'FAST_JWT_INVALID_CLAIM_VALUE': {
      const setting = SETTINGS[claim ?? '']
      if (setting === undefined) return `the ${claim ?? 'claim'} of the token has the wrong type`
      return `the ${claim} of the token is not that of this server (${setting})`
    }
    default: return NOT_OURS
  }
}

/**
 * Writes a claim of the verified token that is a time; the verifier has checked that it is a number of
 * seconds.
 */
function instant (payload: unknown, claim: string): string {
  const date = new Date(Number((payload as Record<string, unknown>)[claim]) * 1000)
  return Number.isNaN(date.getTime()) ? 'a time that does not exist' : date.toISOString()
}
