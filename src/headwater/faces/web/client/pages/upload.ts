/** Upload: the queue and its cards are an island of their own. */
import "../shared/menu";
import "../upload/element";
