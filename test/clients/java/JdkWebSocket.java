import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

public final class JdkWebSocket {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    HttpClient client = HttpClient.newHttpClient();
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      WebSocket.Listener listener = new WebSocket.Listener() {
        // A message comes in parts of 16 KiB.
        private final StringBuilder parts = new StringBuilder();

        @Override public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
          parts.append(part);
          if (last) {
            report.take(parts.toString());
            parts.setLength(0);
          }
          socket.request(1);
          return null;
        }
        @Override public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
          handover.put(code, reason);
          return null;
        }
        @Override public void onError(WebSocket socket, Throwable error) { handover.put(0, error); }
      };
      try {
        client.newWebSocketBuilder().subprotocols("tickwire.v1.batch").buildAsync(report.askSocket(), listener).join();
      } catch (CompletionException error) {
        handover.put(0, error.getCause());
      }
      Closed closed = handover.take();
      report.pause(closed.code() + " " + closed.reason(), closed.code());
    }
  }
}
