import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;

public final class OkHttpWebSocket {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    // Its read timeout ends with the upgrade.
    OkHttpClient client = new OkHttpClient();
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      Request request = new Request.Builder().url(report.ask()).header("Sec-WebSocket-Protocol", "tickwire.v1.batch").build();
      client.newWebSocket(request, new WebSocketListener() {
        @Override public void onMessage(WebSocket socket, String text) { report.take(text); }
        @Override public void onClosing(WebSocket socket, int code, String reason) {
          socket.close(1000, null); // without this it never ends
          handover.put(code, reason);
        }
        @Override public void onFailure(WebSocket socket, Throwable error, Response response) { handover.put(0, error); }
      });
      Closed closed = handover.take();
      report.pause(closed.code() + " " + closed.reason(), closed.code());
    }
  }
}
