import java.util.Collection;

/** As much of writing JSON as the judges need. */
final class Json {
    private Json() {}

    /** An object of names and values, taken in turn. */
    static String object(Object... pairs) {
        StringBuilder out = new StringBuilder("{");
        for (int i = 0; i < pairs.length; i += 2) {
            out.append(i == 0 ? "" : ", ").append(text(pairs[i].toString())).append(": ").append(value(pairs[i + 1]));
        }
        return out.append("}").toString();
    }

    private static String value(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean || value instanceof Raw) {
            return String.valueOf(value);
        }
        if (value instanceof Collection) {
            StringBuilder out = new StringBuilder("[");
            for (Object each : (Collection<?>) value) {
                out.append(out.length() == 1 ? "" : ", ").append(value(each));
            }
            return out.append("]").toString();
        }
        return text(value.toString());
    }

    /** Text that is JSON already. */
    static final class Raw {
        private final String json;

        Raw(String json) {
            this.json = json;
        }

        @Override
        public String toString() {
            return json;
        }
    }

    private static String text(String plain) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : plain.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
