package scalpel

import org.apache.spark.sql.{DataFrame, Dataset, Encoder, SparkSession}
import org.apache.spark.sql.functions._

/** Flat tables -> events -> exposures, outcomes and follow-up -> design of the cases, as SCALPEL's two jobs do it.
  *
  * Arguments: root=, codelists=, out= and the parameters of the study. Prints {"seconds_after_start": ...}, the wall
  * seconds from the session being ready to its end. Kinder than the original: both jobs share one session.
  */
object Featuring {
  def main(arguments: Array[String]): Unit = {
    val settings = arguments.map(_.split("=", 2)).map(pair => pair(0) -> pair(1)).toMap
    val spark = SparkSession.builder().appName("SCALPEL's featuring").getOrCreate()
    val ready = System.nanoTime()
    val featuring = new Featuring(spark, settings("out"), Study.from(settings), new Codes(settings("codelists")))
    featuring.extract(settings("root"))
    featuring.transform()
    featuring.design()
    spark.stop()
    println(s"""{"seconds_after_start": ${(System.nanoTime() - ready) / 1e9}}""")
  }
}

class Featuring(spark: SparkSession, out: String, study: Study, codes: Codes) {
  import spark.implicits._

  /** Each extractor's events, and the patients, to Parquet. */
  def extract(root: String): Unit = {
    val sources = new Sources(spark, root, codes)
    Extractors.all(codes).foreach(extractor => report(s"extract/${extractor.name}", extractor.extract(sources)))
    Patients.extract(sources).write.parquet(s"$out/extract/patients/data")
  }

  /** Events of the selected patients, read back -> follow-up, exposures and outcomes. */
  def transform(): Unit = {
    val transformers = new Transformers(spark, study)
    val patients = transformers.selected(read[Patient]("extract/patients")).cache()
    val ids = patients.map((p: Patient) => p.patientID).collect().toSet
    def followed(name: String): Dataset[Event] =
      read[Event](s"extract/$name").filter((e: Event) => ids.contains(e.patientID))
    report("transform/follow_up", transformers.followUp(patients))
    val followUps = read[Event]("transform/follow_up").cache()
    report("transform/exposures", transformers.exposures(followed("drug_purchases"), followUps))
    val outcomes = new Fractures(spark, study, codes).outcomes(followed)
    val during = outcomes
      .joinWith(followUps, outcomes("patientID") === followUps("patientID"))
      .filter { (pair: (Event, Event)) =>
        val (outcome, follow) = pair
        !outcome.start.before(follow.start) && !follow.end.exists(outcome.start.after)
      }
      .map { case (outcome: Event, _) => outcome }
    report("transform/outcomes", during)
  }

  /** The first outcome of each case, its follow-up, and its exposures to what it did not take before. */
  def design(): Unit = {
    val events = frame("outcomes").groupBy("person_id").agg(min("start").as("day"))
    write("events", events)
    val cases = events.select("person_id")
    val births = read[Patient]("extract/patients").toDF("person_id", "gender", "birth", "death")
    val followed = frame("follow_up").join(cases, "person_id").join(births, "person_id")
    write("persons", followed.select("person_id", "start", "end", "birth"))
    val started = frame("exposures").where(col("start") >= lit(study.washoutEnd)).join(cases, "person_id")
    write("exposures", started.select(col("person_id"), col("value").as("drug"), col("start"), col("end")))
  }

  private def frame(name: String): DataFrame =
    spark.read.parquet(s"$out/transform/$name/data").withColumnRenamed("patientID", "person_id")

  private def write(name: String, table: DataFrame): Unit = table.write.parquet(s"$out/design/$name")

  private def read[A: Encoder](name: String): Dataset[A] = spark.read.parquet(s"$out/$name/data").as[A]

  /** Write events, and the patients who have one. Kinder than the original: these are taken from what was written. */
  private def report(name: String, events: Dataset[Event]): Unit = {
    events.write.parquet(s"$out/$name/data")
    read[Event](name).select("patientID").distinct().write.parquet(s"$out/$name/patients")
  }
}
