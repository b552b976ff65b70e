package scalpel

import java.sql.Timestamp

import org.apache.spark.sql.{Dataset, SparkSession}

/** From events to follow-up and exposures. */
class Transformers(spark: SparkSession, study: Study) extends Serializable {
  import spark.implicits._

  /** Persons of the age and gender of the study who are alive at the start of follow-up. */
  def selected(patients: Dataset[Patient]): Dataset[Patient] = {
    val oldest = Days.of(study.start.minusYears(study.ageMinimum.toLong))
    val from = study.followUpStart
    patients.filter((p: Patient) =>
      (p.gender == 1 || p.gender == 2) && !p.birthDate.after(oldest) && p.deathDate.forall(!_.before(from))
    )
  }

  def followUp(patients: Dataset[Patient]): Dataset[Event] = {
    val (from, last) = (study.followUpStart, Days.of(study.end))
    patients.map { (p: Patient) =>
      val dead = p.deathDate.filter(!_.after(last))
      val reason = dead.fold("observation_end")(_ => "death")
      Event(p.patientID, "follow_up", "NA", reason, 0.0, from, Some(dead.getOrElse(last)))
    }
  }

  /** Unlimited: from the purchase that completes the first run in the window to the end of follow-up. */
  def exposures(drugs: Dataset[Event], followUps: Dataset[Event]): Dataset[Event] = {
    val (needed, window) = (study.minPurchases, study.purchasesWindowDays)
    val started = drugs
      .groupByKey((drug: Event) => (drug.patientID, drug.value))
      .flatMapGroups { (key: (Long, String), purchases: Iterator[Event]) =>
        val days = purchases.map(_.start).toSeq.distinct.sortBy(_.getTime)
        Transformers.runStart(days, needed, window).map(Event(key._1, "exposure", "NA", key._2, 1.0, _, None))
      }
    started
      .joinWith(followUps, started("patientID") === followUps("patientID"))
      .flatMap { case (exposure: Event, follow: Event) =>
        if (follow.end.exists(exposure.start.after)) None else Some(exposure.copy(end = follow.end))
      }
  }
}

object Transformers {
  /** The day that completes the first run of `needed` purchases within `window` days. */
  def runStart(days: Seq[Timestamp], needed: Int, window: Int): Option[Timestamp] =
    days.sliding(needed).find(run => run.length == needed && Days.between(run.head, run.last) <= window).map(_.last)
}
