import { ask, pause, takeAnswer } from './report.js'

for (;;) {
  try {
    const response = await fetch(ask({ wait: 5 }))
    await takeAnswer(response.status, await response.json())
  } catch (error) {
    await pause(error.cause?.code ?? error.message)
  }
}
