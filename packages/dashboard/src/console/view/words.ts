import type { ErrorCode } from '@tickwire/protocol/error-policies'
import type { Language } from '../../app/preferences.js'
import { type Problem, policyOf } from '../wire/problem.js'

type Advice = Readonly<Record<Language, string>>

const BY_POLICY: Readonly<Record<ReturnType<typeof policyOf>, Advice>> = {
  stop: {
    en: 'Correct the request: the same one will be refused again.',
    ko: '요청을 고치십시오. 같은 요청은 다시 거부됩니다.'
  },
  reconnect: { en: 'Wait, then resume.', ko: '잠시 기다린 뒤 이어받으십시오.' },
  backoff: {
    en: 'Resume, and wait longer each time. The server\'s log says what failed.',
    ko: '간격을 늘려 가며 이어받으십시오. 원인은 서버 로그에 있습니다.'
  },
  renew: {
    en: 'Get a new token: log in again, or paste one. Then resume.',
    ko: '다시 로그인하거나 새 토큰을 붙여 넣은 뒤 이어받으십시오.'
  }
}

const BY_CODE: Partial<Readonly<Record<ErrorCode, Advice>>> = {
  invalid_json: {
    en: 'Correct the JSON: the line below the message says where it breaks.',
    ko: 'JSON을 고치십시오. 메시지 아래 줄에 위치가 표시됩니다.'
  },
  invalid_message: {
    en: 'Compare the fields with those that completion offers (Ctrl+Space).',
    ko: '자동 완성(Ctrl+Space)이 제시하는 필드와 비교하십시오.'
  },
  unknown_channel: {
    en: 'Choose a channel of the list that completion offers (Ctrl+Space).',
    ko: '자동 완성(Ctrl+Space) 목록에서 채널을 고르십시오.'
  },
  unknown_symbol: {
    en: 'Choose a symbol of GET /v1/symbols; completion lists them.',
    ko: 'GET /v1/symbols 의 종목을 고르십시오. 자동 완성에 나옵니다.'
  },
  bad_cursor: {
    en: 'Connect anew: the cursor is not one that a server gave.',
    ko: '새로 연결하십시오. 서버가 준 커서가 아닙니다.'
  },
  not_throttleable: {
    en: 'Leave out throttle_ms: each message of this channel counts.',
    ko: 'throttle_ms 를 빼십시오. 이 채널은 모든 메시지가 필요합니다.'
  },
  forbidden: {
    en: 'Use a token whose claims permit this (read, publish, trade, admin).',
    ko: '이 요청을 허용하는 토큰(read, publish, trade, admin)을 사용하십시오.'
  },
  not_found: {
    en: 'There is nothing by this name: check the topic or the id.',
    ko: '해당 이름이 없습니다. 토픽이나 id를 확인하십시오.'
  },
  conflict: {
    en: 'Use another id: an earlier request with other contents has this one.',
    ko: '다른 id를 사용하십시오. 내용이 다른 요청이 이미 이 id를 씁니다.'
  },
  too_many_subscriptions: {
    en: 'Unsubscribe from something first.',
    ko: '먼저 다른 구독을 해제하십시오.'
  },
  disabled: {
    en: 'Use another transport or channel: the operator has switched this off here.',
    ko: '다른 전송 방식이나 채널을 사용하십시오. 운영자가 꺼 두었습니다.'
  }
}

/** Returns what to do about a problem. */
export function adviceFor ({ code, retryAfterMs }: Problem, language: Language): string {
  if (code === undefined) {
    return language === 'en'
      ? 'This is not the server\'s own answer: is it running, and is there a proxy?'
      : '서버가 직접 보낸 응답이 아닙니다. 서버와 프록시를 확인하십시오.'
  }
  const advice = (BY_CODE[code] ?? BY_POLICY[policyOf(code)])[language]
  return retryAfterMs === undefined ? advice : `${advice} (${(retryAfterMs / 1000).toFixed(1)} s)`
}
