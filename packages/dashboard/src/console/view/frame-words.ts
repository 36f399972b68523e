import type { Words } from '../../app/preferences.js'
import type { Validity } from '../log/row-log.js'

/** The words of the list of frames and its rows. */
export const frameWords = {
  en: {
    title: 'List of frames',
    time: 'Time',
    direction: 'Direction',
    type: 'Type',
    topic: 'Topic',
    sequence: 'Seq.',
    latency: 'Latency',
    size: 'Bytes',
    validity: 'Rule',
    text: 'Frame',
    in: 'from the server',
    out: 'to the server',
    new: 'in order',
    snapshot: 'snapshot',
    duplicate: 'duplicate',
    gap: 'gap',
    reset: 'reset',
    control: ''
  },
  ko: {
    title: '프레임 목록',
    time: '시각',
    direction: '방향',
    type: '유형',
    topic: '토픽',
    sequence: '순번',
    latency: '지연',
    size: '바이트',
    validity: '규칙',
    text: '프레임',
    in: '서버에서',
    out: '서버로',
    new: '순서대로',
    snapshot: '스냅샷',
    duplicate: '중복',
    gap: '누락',
    reset: '재설정',
    control: ''
  }
} satisfies Words<Record<string, string> & Record<Validity, string>>

export type FrameWords = typeof frameWords['en']
