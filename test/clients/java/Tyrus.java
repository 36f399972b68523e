import jakarta.websocket.ClientEndpointConfig;
import jakarta.websocket.CloseReason;
import jakarta.websocket.DeploymentException;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.Session;
import java.io.IOException;
import java.util.List;
import org.glassfish.tyrus.client.ClientManager;

public final class Tyrus {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    ClientManager client = ClientManager.createClient();
    ClientEndpointConfig config = ClientEndpointConfig.Builder.create().preferredSubprotocols(List.of("tickwire.v1.batch")).build();
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      Endpoint endpoint = new Endpoint() {
        @Override public void onOpen(Session session, EndpointConfig given) {
          // Not a lambda: the type of message is read from the class.
          session.addMessageHandler(new MessageHandler.Whole<String>() {
            @Override public void onMessage(String text) { report.take(text); }
          });
        }
        @Override public void onClose(Session session, CloseReason reason) { handover.put(reason.getCloseCode().getCode(), reason.getReasonPhrase()); }
      };
      try {
        client.connectToServer(endpoint, config, report.askSocket());
      } catch (DeploymentException | IOException error) {
        handover.put(0, error.getMessage());
      }
      Closed closed = handover.take();
      report.pause(closed.code() + " " + closed.reason(), closed.code());
    }
  }
}
