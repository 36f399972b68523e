import { useWords, type Words } from '../app/preferences.js'
import { login } from '../app/session.js'
import { useStore } from '../app/store.js'

const words = {
  en: {
    login: 'Log in to see what is yours: choose “Log in” at the top of the page.',
    trade: 'Log in with a token that permits to trade; `npx tickwire token --sub alice --trade \'*\'` ' +
      'makes one.'
  },
  ko: {
    login: '로그인하면 내 정보가 표시됩니다. 페이지 위쪽의 “로그인”을 누르십시오.',
    trade: '거래가 허용된 토큰으로 로그인하십시오. `npx tickwire token --sub alice --trade \'*\'` 로 만들 수 있습니다.'
  }
} satisfies Words<Record<string, string>>

/** Returns a sentence that says how to log in; undefined: somebody is logged in. */
export function useLoginNeeded (): string | undefined {
  const text = useWords(words)
  return useStore(login) === undefined ? text.login : undefined
}

/** Returns a sentence that says how to log in so that one may trade; undefined: the user may. */
export function useTradeNeeded (): string | undefined {
  const text = useWords(words)
  const held = useStore(login)
  return held?.mayTrade === true ? undefined : text.trade
}
