import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/** What each program of this folder shares: where it goes on from, and the lines for the judge (test/clients/node/report.js). */
final class Report {
  /** Closes after which trying again cannot help. */
  private static final Set<Integer> FINAL = Set.of(1009, 4400, 4401, 4403, 4404, 4409, 4413);
  private static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

  private final String given;
  private String cursor;
  private long askedMs;

  Report(String[] args) {
    given = args[0];
  }

  private static void say(String kind, Object text) {
    OUT.println(kind + " " + String.valueOf(text).replaceAll("[\r\n]+", " "));
  }

  /** The URL to go on at. @param parameters of this client's own, such as "&heartbeat=5" */
  synchronized String ask(String parameters) {
    say("ask", cursor == null ? "start" : "cursor");
    return given + parameters + (cursor == null ? "" : "&after=" + cursor);
  }

  String ask() {
    return ask("");
  }

  URI askSocket() {
    return URI.create(ask().replaceFirst("http", "ws"));
  }

  /** Takes a message, or an array of them. */
  synchronized void take(String text) {
    say("message", text);
    JsonElement value = JsonParser.parseString(text);
    JsonArray messages = value.isJsonArray() ? value.getAsJsonArray() : new JsonArray();
    if (!value.isJsonArray()) messages.add(value);
    for (JsonElement each : messages) {
      JsonObject message = each.getAsJsonObject();
      if (message.has("cursor")) cursor = message.get("cursor").getAsString();
      if (message.get("type").getAsString().equals("closing") && message.has("retry_after_ms")) askedMs = message.get("retry_after_ms").getAsLong();
    }
  }

  /** Keeps a cursor that stands for all that came before it. */
  synchronized void keep(String text) {
    say("cursor", text);
    cursor = text;
  }

  void takeEvent(String event, String data) {
    if ("cursor".equals(event)) keep(data);
    else take(data);
  }

  /** Takes the answer to a poll, and waits as long as is right before the next. */
  void takeAnswer(int status, String body) throws InterruptedException {
    JsonObject answer = JsonParser.parseString(body).getAsJsonObject();
    if (status != 200) {
      if (!mayPass(status)) refused(body);
      pause(body, 0);
      return;
    }
    for (JsonElement message : answer.getAsJsonArray("messages")) take(message.toString());
    keep(answer.get("cursor").getAsString());
    Thread.sleep(50); // of a busy topic there is always something: a pause gathers it
  }

  void lost(Object reason) {
    say("lost", reason);
  }

  /** Waits until the next attempt, unless the close says that it cannot help. */
  void pause(Object reason, int code) throws InterruptedException {
    if (FINAL.contains(code)) refused(code + " " + reason);
    lost(reason);
    Thread.sleep(askedMs + ThreadLocalRandom.current().nextLong(300, 1200));
    askedMs = 0;
  }

  static boolean mayPass(int status) {
    return status >= 500 || status == 408 || status == 429;
  }

  void refused(Object reason) {
    say("refused", reason);
    System.exit(1);
  }
}
