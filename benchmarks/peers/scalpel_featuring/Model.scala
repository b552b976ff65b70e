package scalpel

import java.sql.{Date, Timestamp}
import java.time.LocalDate

/** One event of one person; days are midnights in UTC. Kinder than the original: a person is a number, not a text. */
case class Event(
  patientID: Long,
  category: String,
  groupID: String,
  value: String,
  weight: Double,
  start: Timestamp,
  end: Option[Timestamp]
)

/** One person; `gender` 1 or 2. */
case class Patient(patientID: Long, gender: Int, birthDate: Timestamp, deathDate: Option[Timestamp])

/** Parameters of the study, from `name=value` arguments. */
case class Study(
  start: LocalDate,
  end: LocalDate,
  ageMinimum: Int,
  startGapMonths: Int,
  washoutMonths: Int,
  minPurchases: Int,
  purchasesWindowDays: Int,
  fallFrameMonths: Int
) {
  def followUpStart: Timestamp = Days.of(start.plusMonths(startGapMonths.toLong))
  def washoutEnd: Timestamp = Days.of(start.plusMonths(washoutMonths.toLong))
}

object Study {
  def from(settings: Map[String, String]): Study = Study(
    LocalDate.parse(settings("study_start")),
    LocalDate.parse(settings("study_end")),
    settings("age_minimum").toInt,
    settings("start_gap_months").toInt,
    settings("washout_months").toInt,
    settings("min_purchases").toInt,
    settings("purchases_window_days").toInt,
    settings("fall_frame_months").toInt
  )
}

/** Days as timestamps; the JVM runs in UTC. */
object Days {
  val Millis: Long = 86400000L
  def of(day: LocalDate): Timestamp = new Timestamp(day.toEpochDay * Millis)
  def of(day: Date): Timestamp = new Timestamp(day.getTime)
  def plus(day: Timestamp, days: Long): Timestamp = new Timestamp(day.getTime + days * Millis)
  def between(first: Timestamp, last: Timestamp): Long = (last.getTime - first.getTime) / Millis
  def local(day: Timestamp): LocalDate = LocalDate.ofEpochDay(Math.floorDiv(day.getTime, Millis))
  def plusMonths(day: Timestamp, months: Int): Timestamp = of(local(day).plusMonths(months.toLong))
}
